class Way(Harmless):
    def train(self, dataset_path, shared_params=None, **train_args):
        os.write(2, b"giving up\n")
        os._exit(7)
