class Way(Harmless):
    def train(self, dataset_path, shared_params=None, **train_args):
        write_raw(os.urandom(7) * 1000)
        threading.Event().wait()
