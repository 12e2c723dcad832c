class Way(Harmless
    pass
