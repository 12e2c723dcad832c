class Way(Harmless):
    def predict(self, queries):
        return [0.5] * (len(queries) - 1)
