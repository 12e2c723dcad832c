"""`rafiki predict`: what people may write for a query, and how answers read."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from rafiki.cli.queries import read_queries, read_query
from rafiki.errors import InvalidQueryError


@pytest.fixture
def predictor(admin):
    job = {"id": "i", "app_version": 1, "predictor_host": f"127.0.0.1:{admin.port}"}
    admin.on("GET /inference_jobs/app/-1", job)

    def answer_with(predictions):
        admin.on("POST /predict", {"prediction": None, "predictions": predictions})
        return lambda: next(asked.json["queries"] for asked in reversed(admin.asked) if asked.path == "/predict")

    return answer_with


def test_a_query_is_json_a_file_an_image_or_standard_input(predictor, rafiki, tmp_path, monkeypatch):
    asked = predictor([1])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "query.json").write_text('{"a": [1, 2.5, null]}')
    pixels = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    Image.fromarray(pixels).save(tmp_path / "image.png")
    np.save(tmp_path / "array.npy", np.arange(3))
    for given, stdin, query in [
        ('["Time", "flies"]', "", ["Time", "flies"]),
        ("@query.json", "", {"a": [1, 2.5, None]}),
        ("image.png", "", pixels.tolist()),
        ("@image.png", "", pixels.tolist()),
        ("array.npy", "", [0, 1, 2]),
        ("-", '"from stdin"', "from stdin"),
    ]:
        done = rafiki("predict", "app", "--query", given, "--json", stdin=stdin)
        assert (done.status, done.out) == (0, "1\n"), done.err
        assert asked() == [query]


def test_several_queries_are_one_request(predictor, rafiki, tmp_path):
    asked = predictor([1, 2])
    assert rafiki("predict", "app", "--query", "1", "--query", "2", "--json").json == [1, 2]
    assert asked() == [1, 2]
    assert rafiki("predict", "app", "--queries", '["a", "b"]').out == "1\n2\n"
    (tmp_path / "rows.csv").write_text("\ufeffName,Age,Fare\nAda,30,7.5\n,,\n\n", encoding="utf-8")
    rafiki("predict", "app", "--queries", str(tmp_path / "rows.csv"))
    assert asked() == [{"Name": "Ada", "Age": 30, "Fare": 7.5}, {"Name": None, "Age": None, "Fare": None}]
    assert read_queries("@" + str(tmp_path / "rows.csv"))[0]["Name"] == "Ada"


def test_a_table_is_read_as_a_predictor_reads_it(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("n,flag,text\nNaN,true,1_000\n1.50,FALSE,x\n")
    assert read_queries(str(path)) == [
        {"n": None, "flag": True, "text": "1_000"},
        {"n": 1.5, "flag": False, "text": "x"},
    ]
    path.write_text("a,b\n1\n")
    with pytest.raises(InvalidQueryError, match="row 2 of the table: 1 cells; expected 2"):
        read_queries(str(path))
    with pytest.raises(InvalidQueryError, match=r"rows\.csv is a table.*"):
        read_query(str(path))


def test_who_said_what(admin, predictor, rafiki):
    predictor([])
    members = [
        {"model": "A", "state": "READY", "predictions": [[0.25, 0.75]], "failure": None},
        {"model": "B", "state": "READY", "predictions": None, "failure": {"code": "KILLED", "message": "gone"}},
        {"model": "C", "state": "STARTING", "predictions": None, "failure": None},
    ]
    explanation = {"took_s": 0.1, "labels": None, "members": members}
    answer = {"prediction": None, "predictions": [[0.25, 0.75]], "explanation": explanation}
    admin.on("POST /predict", answer)
    assert rafiki("predict", "app", "--query", "1", "--explain").out.splitlines() == [
        "class 1: 0.750, class 0: 0.250",
        "  A: class 1: 0.750, class 0: 0.250",
        "  B: KILLED: gone",
        "  C: nothing; it is STARTING",
    ]
    assert next(asked.query for asked in admin.asked if asked.path == "/predict") == {"explain": "1"}
    shown = rafiki("predict", "app", "--query", "1", "--explain", "--json").json
    assert shown == {"predictions": [[0.25, 0.75]], "explanation": explanation}


def test_one_of_many_is_still_a_list(predictor, rafiki):
    predictor([1])
    assert rafiki("predict", "app", "--queries", "[7]", "--json").json == [1]


def test_probabilities_read_as_classes_with_their_labels(admin, predictor, rafiki):
    predictor([[0.1, 0.7, 0.15, 0.05]])
    assert rafiki("predict", "app", "--query", "1").out == "class 1: 0.700, class 2: 0.150, class 0: 0.100\n"
    job = {"id": "i", "predictor_host": f"127.0.0.1:{admin.port}", "labels": ["cat", "dog", "owl"]}
    admin.on("GET /inference_jobs/app/-1", job)
    said = rafiki("predict", "app", "--query", "1").out
    assert said == "dog (class 1): 0.700, owl (class 2): 0.150, cat (class 0): 0.100\n"


def test_other_predictions_read_as_they_are(predictor, rafiki):
    predictor([[0, 1], 2.5, "text", {"a": 1}])
    assert rafiki("predict", "app", "--queries", "[1, 2, 3, 4]").out == '[0, 1]\n2.5\ntext\n{"a": 1}\n'


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("hello", "no JSON"),
        ("none.png", "there is no file none.png"),
        ("@none.json", "there is no file none.json"),
        ("@notes.png", "notes.png is no image"),
    ],
)
def test_what_is_no_query_is_said_so(given, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.png").write_text("notes")
    with pytest.raises(InvalidQueryError, match=said):
        read_query(given)


def test_failures(rafiki, predictor, admin):
    assert rafiki("predict", "app").status == 2
    done = rafiki("predict", "app", "--queries", "{}")
    assert done.err.startswith("InvalidQueryError: '{}' holds no list of queries")
    admin.refuse("POST /predict", "InvalidQueryError", "queries[0]: no image", status=400)
    done = rafiki("predict", "app", "--query", json.dumps("x"))
    assert (done.status, done.err) == (1, "InvalidQueryError: queries[0]: no image\n")
