class Way(Harmless):
    def train(self, dataset_path, shared_params=None, **train_args):
        np.ones(2**50)
