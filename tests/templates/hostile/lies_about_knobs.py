class Way(Harmless):
    @staticmethod
    def get_knob_config():
        forge({"kind": "Inspected", "id": local_of_the_worker("message_id"), "knob_config": "[}", "warnings": []})
        threading.Event().wait()
