"""The calls about datasets, models, jobs and trials: what is sent, and what comes back."""

from __future__ import annotations

import json
import tracemalloc

import numpy as np
import pytest

from rafiki.client import RafikiConnectionError


def test_a_dataset_is_uploaded_from_a_file(admin, client, tmp_path):
    (tmp_path / "train.zip").write_bytes(b"PK\x00\r\n--bytes")
    admin.on("POST /datasets", {"id": "d1"})
    assert client.create_dataset("name", "TASK", dataset_path=tmp_path / "train.zip") == {"id": "d1"}
    assert admin.last.content_type.startswith("multipart/form-data")
    assert admin.last.form == {"name": b"name", "task": b"TASK", "dataset": b"PK\x00\r\n--bytes"}


def test_an_upload_is_not_held_in_memory(admin, client, tmp_path):
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(64 * 2**20)
    admin.on("POST /datasets", {"id": "d1"})
    tracemalloc.start()
    client.create_dataset("n", "t", str(path))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert admin.last.size > 64 * 2**20
    assert peak < 16 * 2**20


def test_a_dataset_by_url_is_a_plain_form(admin, client):
    admin.on("POST /datasets", {"id": "d1"})
    client.create_dataset("name", "TASK", dataset_url="http://x/y.zip")
    assert admin.last.content_type == "application/x-www-form-urlencoded"
    assert admin.last.form == {"name": b"name", "task": b"TASK", "dataset_url": b"http://x/y.zip"}


def test_a_dataset_needs_one_source_and_an_existing_file(admin, client, tmp_path):
    with pytest.raises(ValueError, match=r"dataset_path.*dataset_url"):
        client.create_dataset("name", "TASK")
    with pytest.raises(FileNotFoundError, match=r"dataset_path: there is no file .*/nowhere\.zip"):
        client.create_dataset("name", "TASK", str(tmp_path / "nowhere.zip"))
    assert admin.asked == []


def test_absent_parameters_are_left_out(admin, client):
    admin.on("GET /datasets", [])
    client.get_datasets()
    assert admin.last.query == {}
    client.get_datasets(task="TASK")
    assert admin.last.query == {"task": "TASK"}


def test_a_model_is_submitted(admin, client, tmp_path):
    path = tmp_path / "M.py"
    path.write_bytes(b"class M: pass\n")
    admin.on("POST /models", {"id": "m1"})
    client.create_model("m", "TASK", str(path), "M", {"torch": "2"}, "PUBLIC", docker_image="i")
    form = admin.last.form
    assert json.loads(form.pop("dependencies")) == {"torch": "2"}
    assert form == {
        "name": b"m",
        "task": b"TASK",
        "model_class": b"M",
        "access_right": b"PUBLIC",
        "docker_image": b"i",
        "model_file_bytes": b"class M: pass\n",
    }
    client.create_model(name="m", task="TASK", model_file_path=path, model_class="M")
    assert admin.last.form["access_right"] == b"PRIVATE"
    assert json.loads(admin.last.form["dependencies"]) == {}
    assert "docker_image" not in admin.last.form


def test_a_models_file_is_downloaded(admin, client, tmp_path):
    admin.on("GET /models/m1/model_file", b"class M: pass\n")
    admin.on("GET /models/m1", {"id": "m1", "name": "m"})
    assert client.download_model_file("m1", str(tmp_path / "out.py")) == {"id": "m1", "name": "m"}
    assert (tmp_path / "out.py").read_bytes() == b"class M: pass\n"


def test_other_calls_of_the_catalog(admin, client):
    admin.on("GET /models/available", [{"id": "m1"}])
    assert client.get_available_models() == [{"id": "m1"}]
    admin.on("DELETE /models/m1", {"id": "m1"})
    assert client.delete_model("m1") == {"id": "m1"}


def test_a_train_job_takes_all_available_models_and_the_default_budget(admin, client):
    admin.on("GET /models/available", [{"id": "m1"}, {"id": "m2"}])
    admin.on("POST /train_jobs", {"id": "j"})
    budget = {"MODEL_TRIAL_COUNT": np.int64(3)}
    client.create_train_job("app", "TASK", "d1", "d2", budget)
    assert admin.asked[0].query == {"task": "TASK"}
    assert admin.last.json == {
        "app": "app",
        "task": "TASK",
        "train_dataset_id": "d1",
        "val_dataset_id": "d2",
        "budget": {"TIME_HOURS": 0.1, "GPU_COUNT": 0, "MODEL_TRIAL_COUNT": 3},
        "model_ids": ["m1", "m2"],
    }
    assert set(budget) == {"MODEL_TRIAL_COUNT"}  # the caller's stays as it was


def test_a_train_job_with_given_models_and_train_args(admin, client):
    admin.on("POST /train_jobs", {"id": "j"})
    client.create_train_job(
        app="app",
        task="TASK",
        train_dataset_id="d1",
        val_dataset_id="d2",
        budget={"TIME_HOURS": 2},
        models=[],
        train_args={"features": ["a"]},
    )
    assert len(admin.asked) == 1
    assert admin.last.json["model_ids"] == []
    assert admin.last.json["budget"]["TIME_HOURS"] == 2
    assert admin.last.json["train_args"] == {"features": ["a"]}
    assert "limits" not in admin.last.json
    client.create_train_job("app", "TASK", "d1", "d2", {}, [], limits={"memory_bytes": np.int64(2**32)})
    assert admin.last.json["limits"] == {"memory_bytes": 2**32}


def test_calls_about_train_jobs(admin, client):
    admin.on("GET /train_jobs", [])
    client.get_train_jobs_by_user("u1")
    assert admin.last.query == {"user_id": "u1"}
    admin.on("GET /train_jobs/my app/é", [])
    client.get_train_jobs_of_app("my app/é")
    admin.on("GET /train_jobs/app/-1", {"id": "j"})
    assert client.get_train_job("app") == {"id": "j"}
    admin.on("POST /train_jobs/app/2/stop", {"id": "j"})
    assert client.stop_train_job("app", app_version=2) == {"id": "j"}


def test_all_trials_are_fetched_page_by_page(admin, client):
    trials = [{"id": f"t{no}"} for no in range(2500)]
    admin.on(
        "GET /train_jobs/app/-1/trials",
        lambda asked: (200, trials[int(asked.query["offset"]) :][: int(asked.query["limit"])]),
    )
    assert client.get_trials_of_train_job("app") == trials
    assert len(admin.asked) == 3


def test_a_trial_that_starts_between_two_pages_is_not_listed_twice(admin, client):
    trials = [{"id": f"t{no}"} for no in range(1500)]

    def answer(asked):
        page = trials[int(asked.query["offset"]) :][: int(asked.query["limit"])]
        trials.insert(0, {"id": "new"})
        return 200, page

    admin.on("GET /train_jobs/app/3/trials", answer)
    assert client.get_trials_of_train_job("app", 3) == [{"id": f"t{no}"} for no in range(1500)]


def test_calls_about_trials(admin, client):
    admin.on("GET /train_jobs/app/-1/trials", [{"id": "t"}])
    assert client.get_best_trials_of_train_job("app") == [{"id": "t"}]
    assert admin.last.query == {"type": "best", "max_count": "2"}
    admin.on("GET /trials/t/logs", {"messages": [], "metrics": [], "plots": []})
    assert client.get_trial_logs("t")["plots"] == []


class Scaler:
    def __init__(self, **knobs):
        self.knobs = knobs

    def load_parameters(self, params):
        self.params = params


def test_a_trials_parameters_and_model(admin, client):
    from rafiki.model.params import pack_params

    params = {"w": np.arange(6.0).reshape(2, 3), "n": 3, "s": "text"}
    admin.on("GET /trials/t/parameters", pack_params(params))
    admin.on("GET /trials/t", {"id": "t", "proposal": {"knobs": {"depth": 2}}})
    loaded = client.get_trial_parameters("t")
    assert (loaded["n"], loaded["s"]) == (3, "text")
    np.testing.assert_array_equal(loaded["w"], params["w"])
    model = client.load_trial_model(trial_id="t", ModelClass=Scaler)
    assert model.knobs == {"depth": 2}
    np.testing.assert_array_equal(model.params["w"], params["w"])


def test_calls_about_inference_jobs(admin, client):
    admin.on("POST /inference_jobs", {"id": "i"})
    client.create_inference_job("app")
    assert admin.last.json == {"app": "app", "app_version": -1, "budget": {"GPU_COUNT": 0}}
    client.create_inference_job("app", app_version=2, budget={"GPU_COUNT": 1, "MAX_MEMBERS": 3})
    assert admin.last.json == {"app": "app", "app_version": 2, "budget": {"GPU_COUNT": 1, "MAX_MEMBERS": 3}}
    admin.on("GET /inference_jobs", [])
    client.get_inference_jobs_by_user("u1")
    assert admin.last.query == {"user_id": "u1"}
    admin.on("GET /inference_jobs/app", [])
    assert client.get_inference_jobs_of_app("app") == []
    admin.on("POST /inference_jobs/app/-1/stop", {"id": "i"})
    assert client.stop_inference_job("app") == {"id": "i"}
    admin.on("POST /actions/stop_all_jobs", {"train_jobs": [], "inference_jobs": []})
    assert client.stop_all_jobs() == {"train_jobs": [], "inference_jobs": []}


def test_predict_asks_the_apps_predictor(admin, client):
    admin.on("GET /inference_jobs/app/-1", {"id": "i", "predictor_host": f"127.0.0.1:{admin.port}/path"})
    admin.on("POST /path/predict", {"prediction": [0.5, 0.5], "predictions": []})
    assert client.predict("app", query=np.zeros((1, 2), np.uint8)) == [0.5, 0.5]
    assert admin.last.json == {"query": [[0, 0]]}
    assert admin.last.token is None
    admin.on("POST /path/predict", {"prediction": None, "predictions": [1, 2]})
    assert client.predict("app", queries=[np.float32(1), "x"]) == [1, 2]
    assert admin.last.json == {"queries": [1.0, "x"]}
    with pytest.raises(ValueError, match=r"query.*queries"):
        client.predict("app")
    with pytest.raises(TypeError, match="set cannot be sent as JSON"):
        client.predict("app", query={1})


def test_a_predictors_refusal_is_an_error_like_any_other(admin, client):
    admin.on("GET /inference_jobs/app/-1", {"id": "i", "predictor_host": f"127.0.0.1:{admin.port}"})
    admin.refuse("POST /predict", "InvalidQueryError", "queries[0] is no image")
    with pytest.raises(RafikiConnectionError, match=r"InvalidQueryError: queries\[0\]"):
        client.predict("app", queries=["x"])


def test_classes_are_named_anew(admin, client):
    admin.on("PUT /datasets/d1/labels", {"id": "d1"})
    assert client.set_dataset_labels("d1", ("cat", "dog")) == {"id": "d1"}
    assert admin.last.json == {"labels": ["cat", "dog"]}
    client.set_dataset_labels("d1", None)
    assert admin.last.json.get("labels") is None


def test_a_dataset_with_labels_and_progress(admin, client, tmp_path):
    (tmp_path / "d").write_bytes(b"x" * 100_000)
    admin.on("POST /datasets", {"id": "d1"})
    sent = []
    client.create_dataset("n", "T", tmp_path / "d", labels=("a", "b"), progress=lambda *n: sent.append(n))
    assert json.loads(admin.last.form["labels"]) == ["a", "b"]
    assert sent == [(65536, 100_000), (100_000, 100_000)]


def test_one_dataset(admin, client):
    admin.on("GET /datasets/d", {"id": "d", "status": "READY"})
    assert client.get_dataset("d")["status"] == "READY"
    assert client.wait_until_dataset_is_checked("d") == {"id": "d", "status": "READY"}
    admin.on("GET /datasets/d/preview", [{"query": 1, "label": 2}])
    assert client.get_dataset_preview("d", limit=1) == [{"query": 1, "label": 2}]
    assert admin.last.query == {"limit": "1"}
    admin.on("DELETE /datasets/d", {"id": "d"})
    assert client.delete_dataset("d") == {"id": "d"}


def test_versions_and_checks_of_models(admin, client, tmp_path, fake_time):
    (tmp_path / "M.py").write_text("class M: ...")
    admin.on("POST /models", {"id": "m"})
    client.create_model("m", "T", tmp_path / "M.py", "M", new_version=True)
    assert admin.last.form["new_version"] == b"true"
    admin.on("GET /models", [{"id": "m"}])
    assert client.get_models("T") == [{"id": "m"}]
    statuses = iter(["CHECKING", "INVALID"])
    admin.on("GET /models/m", lambda asked: (200, {"id": "m", "status": next(statuses)}))
    assert client.wait_until_model_is_checked("m")["status"] == "INVALID"


def test_one_upload_and_the_end_of_a_train_job(admin, client):
    admin.on("POST /train_jobs", {"id": "j"})
    client.create_train_job("app", "T", "d1", None, None, models=["m"])
    assert "val_dataset_id" not in admin.last.json
    assert admin.last.json["budget"] == {"TIME_HOURS": 0.1, "GPU_COUNT": 0}
    admin.on("DELETE /train_jobs/app/1", {"id": "j"})
    assert client.delete_train_job("app", 1) == {"id": "j"}
    client.delete_train_job("app", 1, user_id="u")
    assert admin.last.query == {"user_id": "u"}


def test_parameters_are_downloaded_as_they_are(admin, client, tmp_path):
    admin.on("GET /trials/t/parameters", b"p" * 200_000)
    seen = []
    client.download_trial_parameters("t", tmp_path / "out", progress=lambda *n: seen.append(n))
    assert (tmp_path / "out").read_bytes() == b"p" * 200_000
    assert seen[-1] == (200_000, 200_000)
    admin.refuse("GET /trials/t2/parameters", "InvalidTrialError", "no saved parameters", status=404)
    with pytest.raises(RafikiConnectionError, match="no saved parameters"):
        client.download_trial_parameters("t2", tmp_path / "none")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
