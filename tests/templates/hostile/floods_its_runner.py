class Way(Harmless):
    def train(self, dataset_path, shared_params=None, **train_args):
        while True:
            forge({"kind": "Log", "id": None, "trial_id": "", "lines": ["[" * 100_000] * 9, "n_dropped": 0})
