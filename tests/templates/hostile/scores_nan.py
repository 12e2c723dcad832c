class Way(Harmless):
    def evaluate(self, dataset_path):
        return float("nan")
