class Way(Harmless):
    @staticmethod
    def get_knob_config():
        return ["x", 0.0, 1.0]
