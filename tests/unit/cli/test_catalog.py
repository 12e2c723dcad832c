"""`rafiki user`, `token`, `dataset`, `model`: what is asked of the server, and what is printed."""

from __future__ import annotations

import json

import pytest

DATASET = {
    "id": "0b9c1d9e-5c0e-4f7e-8a43-0d2f0c9f4b11",
    "name": "digits",
    "task": "IMAGE_CLASSIFICATION",
    "size_bytes": 2048,
    "status": "READY",
    "error": None,
    "stats": {"n_items": 3, "class_counts": [1, 2]},
    "datetime_created": "2030-01-01T00:00:00Z",
}
MODEL = {
    "id": "7f3a4a6e-7d5c-4a58-b3f5-0f0f4f7a9a01",
    "user_id": "u1",
    "name": "SkDt",
    "task": "T",
    "model_class": "SkDt",
    "status": "READY",
    "error": None,
    "access_right": "PRIVATE",
    "version": 1,
    "datetime_created": "2030-01-01T00:00:00Z",
}
USER = {"id": "u2", "email": "x@y", "user_type": "ADMIN", "banned_date": None}


def test_users(admin, rafiki, monkeypatch):
    admin.on("GET /users", [USER])
    assert rafiki("user", "list").rows == [["x@y", "ADMIN", "-", "u2"]]
    assert rafiki("user", "list", "--json").json == [USER]
    admin.on("POST /users", USER)
    done = rafiki("user", "create", "x@y", "--type", "ADMIN", "--json", stdin="pw\n")
    assert done.json == USER
    assert admin.last.json == {"email": "x@y", "password": "pw", "user_type": "ADMIN"}
    monkeypatch.setenv("RAFIKI_NEW_PASSWORD", "new")
    rafiki("user", "create", "x@y", "--type", "ADMIN")
    assert admin.last.json["password"] == "new"
    admin.on("DELETE /users", USER)
    assert rafiki("user", "ban", "x@y", "--yes").status == 0
    assert admin.last.json == {"email": "x@y"}


def test_ones_own_password(admin, rafiki, monkeypatch):
    admin.on("PUT /users/me/password", USER)
    assert rafiki("user", "password", "--json", stdin="old\nnew\n").json == USER
    assert admin.last.json == {"current_password": "old", "password": "new"}
    done = rafiki("user", "password", stdin="old\n")
    assert (done.status, done.err.splitlines()[0]) == (1, "InvalidRequestError: there is no password")
    monkeypatch.setenv("RAFIKI_PASSWORD", "of the environment")
    monkeypatch.setenv("RAFIKI_NEW_PASSWORD", "newer")
    assert rafiki("user", "password").status == 0
    assert admin.last.json == {"current_password": "of the environment", "password": "newer"}


def test_anothers_password(admin, rafiki):
    admin.on("PUT /users/password", USER)
    assert rafiki("user", "password", "x@y", stdin="new\n").status == 0
    assert admin.last.json == {"email": "x@y", "password": "new"}


def test_a_new_password_is_typed_twice(admin, rafiki, monkeypatch):
    class Terminal:
        def isatty(self):
            return True

    typed = iter(["new", "other", "new", "new"])
    monkeypatch.setattr("io.StringIO", lambda text: Terminal())
    monkeypatch.setattr("getpass.getpass", lambda prompt: next(typed))
    admin.on("PUT /users/password", USER)
    done = rafiki("user", "password", "x@y")
    assert (done.status, done.err.splitlines()[0]) == (1, "InvalidRequestError: the two passwords differ")
    assert admin.asked == []
    assert rafiki("user", "password", "x@y").status == 0
    assert admin.last.json["password"] == "new"


def test_usage(admin, rafiki):
    used = {"datasets_bytes": 2048, "total_bytes": 3 * 2**30}
    admin.on("GET /users/me/usage", used)
    assert rafiki("user", "usage").out.splitlines() == [
        "datasets_bytes  2,048 bytes (2.0 KiB)",
        "total_bytes     3,221,225,472 bytes (3.0 GiB)",
    ]
    admin.on("GET /users", [USER])
    admin.on("GET /users/u2/usage", used)
    assert rafiki("user", "usage", "X@Y", "--json").json == used


def test_tokens(admin, rafiki):
    admin.on("POST /tokens/long_lived", {"id": "k", "name": "ci", "token": "secret"})
    done = rafiki("token", "create", "ci", "--days", "30")
    assert (done.out, done.err) == ("secret\n", "Keep it. To revoke it: rafiki token revoke k\n")
    assert admin.last.json == {"name": "ci", "expires_in_days": 30}
    admin.on("GET /tokens", [{"id": "k", "name": "ci", "datetime_created": None, "expires_at": None}])
    assert rafiki("token", "list").rows == [["ci", "-", "-", "k"]]
    admin.on("DELETE /tokens/k", {"id": "k"})
    assert rafiki("token", "revoke", "k").out == "id  k\n"


def test_datasets_are_listed_and_shown(admin, rafiki, monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    admin.on("GET /datasets", [DATASET])
    done = rafiki("dataset", "list", "--task", "T")
    assert admin.last.query == {"task": "T"}
    assert done.rows[0][:5] == ["digits", "IMAGE_CLASSIFICATION", "READY", "2.0", "KiB"]
    assert rafiki("dataset", "list", "--json").json == [DATASET]
    admin.on(f"GET /datasets/{DATASET['id']}", DATASET)
    for named in ("digits", DATASET["id"]):
        shown = rafiki("dataset", "show", named).out
        assert "size_bytes        2,048 bytes (2.0 KiB)" in shown
        assert "n_items: 3" in shown


def test_each_warning_has_a_line(admin, rafiki):
    admin.on(f"GET /datasets/{DATASET['id']}", {**DATASET, "warnings": ["first thing", "second thing"]})
    lines = rafiki("dataset", "show", DATASET["id"]).out.splitlines()
    (at,) = [i for i, line in enumerate(lines) if line.startswith("warnings  ")]
    assert lines[at].split(maxsplit=1)[1] == "first thing"
    assert lines[at + 1].strip() == "second thing"
    assert lines[at + 1].index("second") == lines[at].index("first")


def test_classes_are_named_anew(admin, rafiki):
    admin.on(f"PUT /datasets/{DATASET['id']}/labels", {**DATASET, "labels": ["cat", "dog"]})
    shown = rafiki("dataset", "label", DATASET["id"], "cat,dog")
    assert admin.last.json == {"labels": ["cat", "dog"]}
    assert '["cat", "dog"]' in shown.out
    assert rafiki("dataset", "label", DATASET["id"], "--none").status == 0
    assert admin.last.json.get("labels") is None
    assert rafiki("dataset", "label", DATASET["id"]).status == 2
    assert rafiki("dataset", "label", DATASET["id"], "a", "--none").status == 2


def test_the_figures_of_a_dataset_are_tables(admin, rafiki):
    stats = {
        "n_items": 4,
        "columns": [
            {"name": "a", "type": "number", "n_missing": 1, "min": 0.5},
            {
                "name": "b",
                "type": "category",
                "n_missing": 0,
                "values": [{"value": "x", "n": 3}, {"value": "y", "n": 1}],
            },
        ],
        "class_counts": [{"class": no, "n": 1} for no in range(60)],
    }
    admin.on(f"GET /datasets/{DATASET['id']}", {**DATASET, "stats": stats})
    lines = rafiki("dataset", "show", DATASET["id"]).out.splitlines()
    start = lines.index("  columns:")
    assert [line.split() for line in lines[start + 1 : start + 4]] == [
        ["name", "type", "n_missing", "min", "values"],
        ["a", "number", "1", "0.5", "-"],
        ["b", "category", "0", "-", "x", "(3),", "y", "(1)"],
    ]
    assert lines[-1] == "    and 10 more"


def test_a_dataset_is_uploaded_and_its_check_awaited(admin, rafiki, tmp_path):
    (tmp_path / "d.zip").write_bytes(b"bytes")
    admin.on("POST /datasets", {**DATASET, "status": "CHECKING"})
    admin.on(f"GET /datasets/{DATASET['id']}", DATASET)
    path = str(tmp_path / "d.zip")
    done = rafiki("dataset", "create", "digits", path, "--task", "T", "--labels", "a,b", "--json")
    assert done.json["status"] == "READY"
    form = admin.asked[-2].form
    assert json.loads(form.pop("labels")) == ["a", "b"]
    assert form == {"name": b"digits", "task": b"T", "dataset": b"bytes"}
    done = rafiki("dataset", "create", "digits", "--url", "http://x/y", "--task", "T", "--no-wait", "--json")
    assert done.json["status"] == "CHECKING"


def test_a_dataset_that_turns_out_unusable_is_a_failure(admin, rafiki):
    admin.on("POST /datasets", DATASET)
    error = {"code": "INVALID", "message": "7.png is no image", "hint": "replace it"}
    admin.on(f"GET /datasets/{DATASET['id']}", {**DATASET, "status": "INVALID", "error": error})
    done = rafiki("dataset", "create", "digits", "--url", "http://x/y", "--task", "T", "--json")
    assert done.status == 1
    assert done.json["status"] == "INVALID"
    assert done.err.startswith("InvalidDatasetError: dataset 'digits' is unusable: INVALID: 7.png is no image")


def test_a_dataset_comes_from_one_place(rafiki, tmp_path):
    assert rafiki("dataset", "create", "d", "--task", "T").status == 2
    done = rafiki("dataset", "create", "d", str(tmp_path / "none"), "--task", "T")
    assert done.status == 1
    assert done.err.startswith("FileNotFoundError: dataset_path: there is no file")


def test_a_preview(admin, rafiki):
    admin.on("GET /datasets", [DATASET])
    items = [{"query": {"Age": 30}, "label": 1}, {"query": "data:image/png;base64," + "A" * 999, "label": 0}]
    admin.on(f"GET /datasets/{DATASET['id']}/preview", items)
    done = rafiki("dataset", "preview", "digits", "--limit", "2")
    assert admin.last.query == {"limit": "2"}
    assert done.out.splitlines()[1] == '1      {"Age": 30}'
    assert max(map(len, done.out.splitlines())) < 220
    assert rafiki("dataset", "preview", "digits", "--json").json == items


def test_what_cannot_be_undone_needs_a_yes(admin, rafiki):
    admin.on(f"DELETE /datasets/{DATASET['id']}", {"id": DATASET["id"]})
    done = rafiki("dataset", "delete", DATASET["id"])
    assert (done.status, admin.asked) == (1, [])
    assert "cannot be undone\n  add --yes" in done.err
    assert rafiki("dataset", "delete", DATASET["id"], "-y", "--json").json == {"id": DATASET["id"]}


def test_names_that_nothing_or_several_things_have(admin, rafiki):
    admin.on("GET /datasets", [DATASET, {**DATASET, "id": "2"}])
    done = rafiki("dataset", "show", "nothing")
    assert done.err.startswith("InvalidDatasetError: there is no dataset named 'nothing'\n")
    done = rafiki("dataset", "show", "digits")
    assert "there are 2 of this: dataset named 'digits'" in done.err
    assert DATASET["id"] in done.err


def test_models_are_listed_shown_and_deleted(admin, rafiki):
    admin.on("GET /models", [MODEL])
    admin.on("GET /models/available", [MODEL, {**MODEL, "id": "m2", "name": "Public"}])
    assert [row[0] for row in rafiki("model", "list").rows] == ["SkDt"]
    assert [row[0] for row in rafiki("model", "list", "--available", "--task", "T").rows] == ["SkDt", "Public"]
    assert admin.last.query == {"task": "T"}
    admin.on(f"GET /models/{MODEL['id']}", MODEL)
    assert "status            READY" in rafiki("model", "show", "SkDt").out
    admin.on(f"DELETE /models/{MODEL['id']}", {"id": MODEL["id"]})
    assert rafiki("model", "delete", "SkDt", "--yes").status == 0


def test_of_several_versions_of_a_model_the_latest_is_meant(admin, rafiki):
    admin.on("GET /models", [{**MODEL, "id": "m2", "version": 2}, MODEL])
    admin.on("GET /models/m2", {**MODEL, "id": "m2"})
    assert rafiki("model", "show", "SkDt", "--json").json["id"] == "m2"


def test_a_model_is_submitted_and_its_check_awaited(admin, rafiki, tmp_path):
    (tmp_path / "SkDt.py").write_text("class SkDt: ...")
    admin.on("POST /models", MODEL)
    admin.on(f"GET /models/{MODEL['id']}", MODEL)
    where = [str(tmp_path / "SkDt.py"), "--class", "SkDt", "--task", "T"]
    more = ["--dependency", "scikit-learn=1.9.1", "--dependency", "numpy=2", "--public", "--new-version"]
    assert rafiki("model", "create", *where, *more, "--json").json == MODEL
    form = admin.asked[-2].form
    assert json.loads(form["dependencies"]) == {"scikit-learn": "1.9.1", "numpy": "2"}
    assert (form["name"], form["access_right"], form["new_version"]) == (b"SkDt", b"PUBLIC", b"true")
    error = {"code": "INVALID_MODEL_CLASS", "message": "class SkDt has no method train", "hint": ""}
    admin.on(f"GET /models/{MODEL['id']}", {**MODEL, "status": "INVALID", "error": error})
    done = rafiki("model", "create", *where, "--name", "mine")
    assert done.status == 1
    assert "class SkDt has no method train" in done.err
    assert rafiki("model", "create", *where, "--dependency", "numpy").status == 2


def test_a_models_file_is_written(admin, rafiki, tmp_path):
    admin.on(f"GET /models/{MODEL['id']}", MODEL)
    admin.on(f"GET /models/{MODEL['id']}/model_file", b"class SkDt: ...")
    out = tmp_path / "out.py"
    assert rafiki("model", "download", MODEL["id"], str(out)).out == f"Wrote {out}.\n"
    assert out.read_text() == "class SkDt: ..."
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_all_jobs_are_stopped(admin, rafiki, as_json):
    admin.on("POST /actions/stop_all_jobs", {"train_jobs": [{"id": "j"}], "inference_jobs": []})
    assert rafiki("stop-all-jobs").status == 1
    done = rafiki("stop-all-jobs", "--yes", *as_json)
    assert done.status == 0
    assert '"id": "j"' in done.out


def test_starter_models_are_published_and_their_checks_awaited(admin, rafiki, monkeypatch):
    from rafiki import starters

    asked = []

    def install(client, tasks):
        asked.append(tasks)
        if tasks == ["NONE"]:
            raise ValueError("there are no starter models for the task 'NONE'")
        one = {"id": MODEL["id"], "name": "ImageLinear", "task": "T", "outcome": "published"}
        return [one, {**one, "id": "other", "name": "ImageSvm", "outcome": "unchanged"}]

    monkeypatch.setattr(starters, "install_starters", install)
    admin.on(f"GET /models/{MODEL['id']}", MODEL)
    rows = rafiki("model", "install-starters").rows
    assert [row[:4] for row in rows] == [
        ["ImageLinear", "T", "published", "READY"],
        ["ImageSvm", "T", "unchanged", "-"],
    ]
    assert rafiki("model", "install-starters", "--task", "T", "--no-wait", "--json").json[0]["outcome"] == "published"
    done = rafiki("model", "install-starters", "--task", "NONE")
    assert done.status == 2
    assert "no starter models for the task" in done.err
    assert asked == [None, ["T"], ["NONE"]]
    error = {"code": "MISSING_DEPENDENCY", "message": "no index answers", "hint": ""}
    admin.on(f"GET /models/{MODEL['id']}", {**MODEL, "status": "INVALID", "error": error})
    done = rafiki("model", "install-starters")
    assert (done.status, "no index answers" in done.err) == (1, True)
