class Way(Harmless):
    def evaluate(self, dataset_path):
        return "0.9"
