class Way(Harmless):
    def train(self, dataset_path, shared_params=None, **train_args):
        while True:
            logger.log("x" * 1000)
