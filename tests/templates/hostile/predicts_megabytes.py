class Way(Harmless):
    def predict(self, queries):
        return ["x" * 80_000_000 for _ in queries]
