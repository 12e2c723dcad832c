class Way(Harmless):
    def train(self, dataset_path, shared_params=None, **train_args):
        ctypes.string_at(1)
