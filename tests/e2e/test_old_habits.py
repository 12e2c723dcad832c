"""What templates did before there was this platform still works, in workers that are confined where they can be."""

from __future__ import annotations

import base64
import json
import pickle

from tests.server_process import TEMPLATES, Work


def test_what_old_templates_rely_on(developer: Work) -> None:
    client = developer.client
    model = client.create_model("Habits", "ANY", str(TEMPLATES / "Habits.py"), "Habits")
    job = developer.ended_train_job("habits", [model["id"]], {"epochs": 2})
    assert (job["status"], job["error"]) == ("STOPPED", None)
    [trial] = client.get_best_trials_of_train_job("habits")
    messages = [entry["message"] for entry in client.get_trial_logs(trial["id"])["messages"]]
    assert messages == ["shared_params=None", 'train_args={"epochs": 2}', "CUDA_AVAILABLE_DEVICES=-1"]

    params = client.get_trial_parameters(trial["id"])
    assert json.loads(params["train_stats"]) == {"n_bytes": 8, "scale": [0.5, None]}
    assert pickle.loads(base64.b64decode(params["h5_model_base64"])) == {"all": {3}}

    client.create_inference_job("habits")
    client.wait_until_inference_job_is_running("habits", timeout=60)
    assert client.predict("habits", queries=[1, 2]) == [3, 6]
    client.stop_inference_job("habits")
