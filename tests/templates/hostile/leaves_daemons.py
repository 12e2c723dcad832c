class Way(Harmless):
    def train(self, dataset_path, shared_params=None, **train_args):
        for _ in range(3):
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    os.execv("/bin/sleep", ["sleep", train_args["mark"]])
                os._exit(0)
            os.wait()
