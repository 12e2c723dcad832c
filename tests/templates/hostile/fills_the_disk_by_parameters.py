class Way(Harmless):
    def dump_parameters(self):
        return {"weights": np.zeros(2**26)}
