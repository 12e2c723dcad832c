class Way(Harmless):
    def train(self, dataset_path, shared_params=None, **train_args):
        write_raw(struct.pack("<I", 100) + b"half")
        local_of_the_worker("channel")._socket.shutdown(socket.SHUT_WR)
        threading.Event().wait()
