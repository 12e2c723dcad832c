class Way(Harmless):
    def train(self, dataset_path, shared_params=None, **train_args):
        failure = {"code": "BUDGET_OVER", "message": "try again", "hint": ""}
        forge({"kind": "Failed", "id": local_of_the_worker("message_id"), "failure": failure})
        threading.Event().wait()
