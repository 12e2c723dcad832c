import urllib.request


class Way(Harmless):
    def train(self, dataset_path, shared_params=None, **train_args):
        urllib.request.urlopen("http://pypi.org/", timeout=5)
