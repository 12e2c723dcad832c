class Way(Harmless):
    def train(self, dataset_path, shared_params=None, **train_args):
        while True:
            os.write(1, b"x" * 65536)
