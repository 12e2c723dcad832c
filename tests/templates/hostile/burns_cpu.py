class Way(Harmless):
    def train(self, dataset_path, shared_params=None, **train_args):
        while True:
            subprocess.run([sys.executable, "-c", "for n in range(10**6): pass"])
