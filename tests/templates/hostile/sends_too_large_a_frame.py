class Way(Harmless):
    def train(self, dataset_path, shared_params=None, **train_args):
        write_raw(struct.pack("<I", 2**32 - 1) + bytes(1000))
        threading.Event().wait()
