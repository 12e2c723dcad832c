import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rafiki.errors import InvalidDatasetFormatException, InvalidPredictionError, InvalidQueryError
from rafiki.tasks import get_task

CLASSIFICATION = get_task("TABULAR_CLASSIFICATION")
REGRESSION = get_task("TABULAR_REGRESSION")
NAN = float("nan")


@pytest.fixture
def write(tmp_path: Path):
    def write_file(text: str, name: str = "table.csv") -> str:
        (tmp_path / name).write_text(text)
        return str(tmp_path / name)

    return write_file


@pytest.mark.parametrize(
    ("task", "text", "said"),
    [
        (
            CLASSIFICATION,
            "a,y\n1,x\n2,\n3,y\n4,\n",
            "column 'y', the last one, has no value in 2 of 4 rows, first in row 3",
        ),
        (CLASSIFICATION, "a,y\n1,x\n2,x\n", "column 'y', the last one, has one value alone"),
        (CLASSIFICATION, "a,id\n" + "".join(f"1,{i}\n" for i in range(30)), "30 different values in 30 rows"),
        (CLASSIFICATION, "a,b,y\n1,,x\n2,,y\n", "column 'b' has no value in any row"),
        (REGRESSION, "a,y\n1,x\n2,y\n", "column 'y', the last one, has values that are no numbers (category)"),
        (REGRESSION, "a,y\n1,2\n2,NA\n", "has no value in 1 of 2 rows, first in row 3"),
    ],
)
def test_what_will_hardly_train_is_told_at_upload(
    write, caplog: pytest.LogCaptureFixture, task: Any, text: str, said: str
) -> None:
    task.check_dataset(write(text))
    (warning,) = caplog.messages
    assert said in warning
    assert "the last one" not in said or warning.endswith("unless the train argument `target` names another")


def test_a_usual_table_is_not_warned_of(write, caplog: pytest.LogCaptureFixture) -> None:
    rows = "".join(f"{i},{'' if i % 3 else 'x'},{i % 7}\n" for i in range(40))
    for task in (CLASSIFICATION, REGRESSION):
        task.check_dataset(write("a,b,y\n" + rows))
    assert caplog.messages == []


def test_names() -> None:
    assert [task.name for task in (CLASSIFICATION, REGRESSION)] == ["TABULAR_CLASSIFICATION", "TABULAR_REGRESSION"]


class TestQueries:
    def test_values_of_every_kind_in_the_order_given(self) -> None:
        query = {"b": 1, "a": 2.5, "c": None, "d": "x", "e": True, "f": NAN, "g": np.int64(3), "h": np.float32(0.5)}
        decoded = CLASSIFICATION.decode_query(query)
        assert list(decoded.items()) == [
            ("b", 1), ("a", 2.5), ("c", None), ("d", "x"), ("e", True), ("f", None), ("g", 3), ("h", 0.5),
        ]  # fmt: skip
        assert json.dumps(decoded)
        assert CLASSIFICATION.decode_query(CLASSIFICATION.encode_query(decoded)) == decoded
        assert CLASSIFICATION.decode_query({}) == {}

    @pytest.mark.parametrize(
        ("query", "message"),
        [
            (None, "query is a NoneType, expected an object of feature name to value"),
            ([1, 2], "query is a list, expected an object"),
            ("a", "query is a str"),
            ({"a": [1]}, r"query\['a'\] is a list, expected a number, a text, true, false, or null"),
            ({"a": {"b": 1}}, r"query\['a'\] is a dict"),
            ({"a": np.array([1, 2])}, r"query\['a'\] is a ndarray"),
            ({"a": float("inf")}, r"query\['a'\] is infinite"),
            ({1: 2}, r"key 1, expected a feature's name"),
        ],
    )
    def test_says_where_a_query_is_wrong(self, query: Any, message: str) -> None:
        for task in (CLASSIFICATION, REGRESSION):
            with pytest.raises(InvalidQueryError, match=message):
                task.decode_query(query)


class TestClassification:
    def test_pairs(self, write) -> None:
        path = write("sex,age,t\nm,3,b\nf,,a\nm,1.5,b\n")
        assert list(CLASSIFICATION.iterate(path)) == [
            ({"sex": "m", "age": 3}, 1),
            ({"sex": "f", "age": None}, 0),
            ({"sex": "m", "age": 1.5}, 1),
        ]
        arguments = {"target": "sex", "features": ["t"], "other": 1}
        assert list(CLASSIFICATION.iterate(path, arguments)) == [({"t": "b"}, 1), ({"t": "a"}, 0), ({"t": "b"}, 1)]

    def test_classes_are_ranks_among_all_data(self, write) -> None:
        train, val = write("x,t\n007,c\nA,a\n"), write("x,t\n7,b\n8,c\n", "val.csv")
        holdout = write("x,t\n7,d\n", "holdout.csv")
        assert [label for _, label in CLASSIFICATION.iterate(val)] == [0, 1]
        assert list(CLASSIFICATION.iterate(val, None, [train])) == [({"x": "7"}, 1), ({"x": "8"}, 2)]
        assert list(CLASSIFICATION.iterate(holdout, {}, [train, val])) == [({"x": "7"}, 3)]

    def test_checks(self, write) -> None:
        good = write("a,b\n,x\n1,\n")  # the target may be another column
        CLASSIFICATION.check_structure(good)
        CLASSIFICATION.check_dataset(good)
        with pytest.raises(InvalidDatasetFormatException, match="row 3, column 'b'"):
            CLASSIFICATION.check_dataset(good, {})
        for check in (CLASSIFICATION.check_structure, CLASSIFICATION.check_dataset):
            for bad, message in (("a,b\n1\n", "row 2"), ("a,b\n", "no rows"), ("a\n1\n", "two names")):
                with pytest.raises(InvalidDatasetFormatException, match=message):
                    check(write(bad, "bad.csv"))
        late = write("a,b\n" + "1,2\n" * 2000 + "1\n", "late.csv")
        CLASSIFICATION.check_structure(late)
        with pytest.raises(InvalidDatasetFormatException, match="row 2002"):
            CLASSIFICATION.check_dataset(late)

    def test_predictions_are_probabilities(self) -> None:
        assert CLASSIFICATION.check_prediction({}, np.array([0.25, 0.75])) == [0.25, 0.75]
        with pytest.raises(InvalidPredictionError, match="expected a list of one probability per class"):
            CLASSIFICATION.check_prediction({}, 1)
        assert CLASSIFICATION.combine([[1.0, 0.0], [0.5, 0.5]]) == [0.75, 0.25]
        assert CLASSIFICATION.score([[0.1, 0.9], [0.9, 0.1]], [1, 1]) == 0.5


class TestRegression:
    def test_pairs(self, write) -> None:
        path = write("a,b,c\nx,1,2\ny,3,4.5\n")
        assert list(REGRESSION.iterate(path)) == [({"a": "x", "b": 1}, 2.0), ({"a": "y", "b": 3}, 4.5)]
        assert list(REGRESSION.iterate(path, {"target": "b", "features": ["c"]})) == [({"c": 2}, 1), ({"c": 4.5}, 3)]
        assert type(next(REGRESSION.iterate(path))[1]) is float

    def test_the_target_must_be_numbers(self, write) -> None:
        path = write("a,b\n1,x\n2,y\n")
        REGRESSION.check_dataset(path)
        REGRESSION.check_dataset(path, {"target": "a"})
        for arguments in ({}, {"target": "b"}):
            with pytest.raises(
                InvalidDatasetFormatException, match=r"column 'b', the target,.*train argument `target`"
            ):
                REGRESSION.check_dataset(path, arguments)
        with pytest.raises(InvalidDatasetFormatException, match="no column has numbers alone"):
            REGRESSION.check_dataset(write("a,b\nx,y\n"))

    def test_predictions_are_finite_numbers(self) -> None:
        for value in (2, 2.0, np.float32(2), np.array(2), np.int64(2)):
            checked = REGRESSION.check_prediction({}, value)
            assert (checked, type(checked)) == (2.0, float)
        for wrong, message in (
            (NAN, "is nan; expected a finite number"),
            (float("inf"), "is inf"),
            ([2.0], "is a list"),
            ("2", "is a str"),
            (None, "is a NoneType"),
            (True, "is a bool"),
            (10**400, "is a int"),
        ):
            with pytest.raises(InvalidPredictionError, match=message):
                REGRESSION.check_prediction({}, wrong)

    def test_ensembles_are_means_of_what_is_valid(self) -> None:
        assert REGRESSION.combine([1, 2.0, np.float64(6)]) == 3
        assert REGRESSION.combine([1.5]) == 1.5
        assert REGRESSION.combine_batch([np.array([1.0, 2.0]), [3.0, NAN]]) == [2.0, 2.0]
        for bad in (None, "x", [1], NAN, True):
            assert REGRESSION.combine([1, bad, 2]) == 1.5
        assert REGRESSION.combine(["x", None]) == "x"
        assert json.dumps(REGRESSION.combine_batch([np.array([1.0])])) == "[1.0]"

    def test_score_is_r_squared(self) -> None:
        labels = [1.0, 2.0, 3.0, 6.0]
        assert REGRESSION.score(labels, labels) == 1
        assert REGRESSION.score([3.0] * 4, labels) == 0
        assert REGRESSION.score([1, 2, 4, 6], labels) == pytest.approx(1 - 1 / 14)
        assert REGRESSION.score([30.0] * 4, labels) < -10
        assert REGRESSION.score([5, 5], [5, 5]) == 1
        assert REGRESSION.score([5, 6], [5, 5]) == 0
        with pytest.raises(InvalidPredictionError):
            REGRESSION.score(["x"], [1.0])
        with pytest.raises(InvalidPredictionError, match="1 predictions for 2 labels"):
            REGRESSION.score([1], [1, 2])
