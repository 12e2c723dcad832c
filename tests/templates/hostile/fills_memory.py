class Way(Harmless):
    def train(self, dataset_path, shared_params=None, **train_args):
        kept = []
        while True:
            kept.append(np.ones(2**20))
            time.sleep(0.002)
