class Way(Harmless):
    def train(self, dataset_path, shared_params=None, **train_args):
        for signal_no in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(signal_no, signal.SIG_IGN)
        ctypes.PyDLL(None).pause()  # with the interpreter's lock held: no other thread of this process runs
