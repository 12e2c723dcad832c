class Way(Harmless):
    def train(self, dataset_path, shared_params=None, **train_args):
        for n in range(30):
            print("x" * 100_000, n)
        os.write(1, b"native\n" * 100_000)
