import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rafiki.errors import InvalidDatasetFormatException, InvalidPredictionError, InvalidQueryError
from rafiki.model import dataset
from rafiki.tasks import CustomTask, get_task, to_json_value

IMAGES = get_task("IMAGE_CLASSIFICATION")
TAGGING = get_task("POS_TAGGING")
CUSTOM = get_task("1f0c9a6e-0d5a-4b0b-8d5e-3a3d0d8d7a11")


def test_unknown_names_are_custom_tasks() -> None:
    assert isinstance(CUSTOM, CustomTask)
    assert [task.name for task in (IMAGES, TAGGING)] == ["IMAGE_CLASSIFICATION", "POS_TAGGING"]
    assert CUSTOM.name.startswith("1f0c9a6e")


def test_numpy_values_become_json() -> None:
    value = {
        "a": np.float32(0.5),
        "b": [np.int64(3), (1, np.bool_(True))],
        np.str_("c"): np.array([[1, 2]]),
        "d": np.array(7),
        "e": np.array(["x", None], object),
        "f": np.float64(0.25),
        3: None,
    }
    expected = {"a": 0.5, "b": [3, [1, True]], "c": [[1, 2]], "d": 7, "e": ["x", None], "f": 0.25, 3: None}
    plain = to_json_value(value)
    assert plain == expected
    assert {type(plain[key]) for key in "af"} == {float}
    json.dumps(plain)


class TestImages:
    @pytest.fixture
    def path(self, tmp_path: Path) -> str:
        images = [np.full((size, 5), 10 * size, np.uint8) for size in (3, 4)]
        dataset.write_dataset_of_image_files(str(tmp_path / "x.zip"), images, [0, 2])
        return str(tmp_path / "x.zip")

    def test_wide_gaps_between_classes_are_told(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        path = str(tmp_path / "gaps.zip")
        dataset.write_dataset_of_image_files(path, [np.zeros((3, 3), np.uint8)] * 2, [0, 5000])
        IMAGES.check_dataset(path)
        assert "The largest class is 5000, but there are 2 classes" in caplog.text

    def test_pairs(self, path: str, caplog: pytest.LogCaptureFixture) -> None:
        IMAGES.check_dataset(path)
        assert "2 different sizes" in caplog.text
        assert len(caplog.messages) == 1
        (query, label), (query_2, label_2) = IMAGES.iterate(path)
        assert (query.dtype, query.shape, query_2.shape) == (np.uint8, (3, 5, 3), (4, 5, 3))
        assert (query == 30).all()
        assert ([label, label_2], type(label)) == ([0, 2], int)
        assert (IMAGES.decode_query(IMAGES.encode_query(query)) == query).all()

    def test_check_reads_every_image(self, tmp_path: Path) -> None:
        path = tmp_path / "x.zip"
        dataset.write_dataset_of_image_files(str(path), np.random.default_rng(0).integers(0, 256, (2, 40, 40)), [0, 1])
        data = bytearray(path.read_bytes())
        place = data.find(b"images/1.png") + 900
        data[place : place + 8] = b"\0" * 8
        path.write_bytes(data)
        with pytest.raises(InvalidDatasetFormatException, match=r"images/1\.png"):
            IMAGES.check_dataset(str(path))

    @pytest.mark.parametrize("as_array", [list, np.asarray, lambda q: np.asarray(q, np.float64), np.uint8, np.int16])
    def test_forms_of_queries(self, as_array: Any) -> None:
        grey = [[1, 2], [3, 4], [5, 6]]
        rgb = [[[v, v, v] for v in row] for row in grey]
        for form in (grey, [[[v] for v in row] for row in grey], rgb, [[[v, v, v, 9] for v in row] for row in grey]):
            image = IMAGES.decode_query(as_array(form))
            assert (image.dtype, image.shape, image.tolist()) == (np.uint8, (3, 2, 3), rgb)
            assert image.flags.c_contiguous
        assert IMAGES.decode_query([[[1.0, 2, 3]]]).tolist() == [[[1, 2, 3]]]
        assert IMAGES.decode_query([np.zeros((2, 3), np.uint8)]).shape == (1, 2, 3)

    @pytest.mark.parametrize(
        ("query", "message"),
        [
            (None, "query is a NoneType, expected an RGB image"),
            ("abc", "query is a str"),
            ({}, "query is a dict"),
            ([], "query is empty"),
            ([[]], r"query\[0\] is not a row"),
            ([1, 2], r"query\[0\] is not a row"),
            ([[1], [1, 2]], r"query\[1\] has 2 pixels, expected 1"),
            ([[[1, 2, 3], [1, 2]]], r"query\[0\]\[1\] has 2 values, expected 3"),
            ([[[1, 2], [1, 2]]], r"query\[0\]\[0\] has 2 values, expected 3"),
            ([[[1, 2, 3], 4]], r"query\[0\]\[1\] is one value, expected a list of 3"),
            ([[4, [1, 2, 3]]], r"query\[0\]\[1\] has 3 values, expected one number"),
            ([[0, 256]], r"query\[0\]\[1\] is 256, expected a whole number from 0 to 255"),
            ([[[0, 0, 0], [0, -1, 0]]], r"query\[0\]\[1\]\[1\] is -1"),
            ([[0, 0.5]], r"query\[0\]\[1\] is 0.5"),
            ([[float("nan")]], r"query\[0\]\[0\] is nan"),
            ([[1, 10**5000]], r"query\[0\]\[1\] holds a huge number"),
            ([["1"]], r"query\[0\]\[0\] holds '1'"),
            ([[True]], r"query\[0\]\[0\] holds True"),
            ([[None]], r"query\[0\]\[0\] holds None"),
            (np.zeros((2, 2, 2, 3)), r"query\[0\]\[0\]"),
            (np.zeros((0, 4, 3), np.uint8), "query is empty"),
        ],
    )
    def test_says_where_a_query_is_wrong(self, query: Any, message: str) -> None:
        with pytest.raises(InvalidQueryError, match=message):
            IMAGES.decode_query(query)

    def test_deep_nesting_is_a_wrong_query_like_others(self) -> None:
        query: Any = 1
        for _ in range(5000):
            query = [query]
        with pytest.raises(InvalidQueryError):
            IMAGES.decode_query(query)

    def test_predictions(self) -> None:
        assert IMAGES.check_prediction(None, np.array([0.25, 0.75], np.float32)) == [0.25, 0.75]
        assert IMAGES.check_prediction(None, (0, 1)) == [0, 1]
        for wrong, message in (
            (3, "is a int; expected a list"),
            ([], "expected a list"),
            ([0.5, "0.5"], r"prediction\[1\] is a str"),
            ([[0.5]], r"prediction\[0\] is a list"),
            ([0.5, float("nan")], r"prediction\[1\] is nan"),
            ([-3.2, 4], r"prediction\[0\] is -3.2"),
        ):
            with pytest.raises(InvalidPredictionError, match=message):
                IMAGES.check_prediction(None, wrong)

    @pytest.mark.parametrize("form", [list, np.asarray, lambda p: [np.asarray(v) for v in p]])
    def test_ensembles_are_means(self, form: Any) -> None:
        members = [form([[1.0, 0.0], [0.5, 0.5]]), form([[0.0, 1.0], [0.25, 0.75]])]
        assert IMAGES.combine_batch(members) == [[0.5, 0.5], [0.375, 0.625]]
        assert IMAGES.combine_batch(members[:1]) == [[1.0, 0.0], [0.5, 0.5]]
        assert IMAGES.combine([member[0] for member in members]) == [0.5, 0.5]
        json.dumps(IMAGES.combine_batch(members[:1]))

    def test_a_malformed_prediction_costs_its_vote_not_the_answer(self) -> None:
        good = [0.25, 0.75]
        for bad in (None, "x", [1], [0.1, 0.2, 0.7], [float("nan"), 1], [], 0.5):
            assert IMAGES.combine([good, bad, [0.75, 0.25]]) == [0.5, 0.5]
        assert IMAGES.combine([None, good]) == good
        assert IMAGES.combine(["x", None]) == "x"
        assert IMAGES.combine_batch([[good, None], [good, [1, 0]]]) == [good, [1, 0]]

    def test_score_is_accuracy(self) -> None:
        assert IMAGES.score([[0.1, 0.9], [0.8, 0.2], np.array([0.6, 0.4])], [1, 0, 1]) == pytest.approx(2 / 3)
        with pytest.raises(InvalidPredictionError):
            IMAGES.score([None], [1])
        with pytest.raises(InvalidPredictionError, match="1 predictions for 2 labels"):
            IMAGES.score([[1.0]], [0, 0])
        with pytest.raises(ValueError, match="no predictions"):
            IMAGES.score([], [])


class TestTagging:
    def test_pairs(self, tmp_path: Path) -> None:
        path = str(tmp_path / "x.zip")
        dataset.write_dataset_of_corpus(path, [[["a", 0], ["b", 2]], [["c", 1]]])
        TAGGING.check_dataset(path)
        assert list(TAGGING.iterate(path)) == [(["a", "b"], [0, 2]), (["c"], [1])]
        (tmp_path / "y.zip").write_bytes(b"")
        with pytest.raises(InvalidDatasetFormatException):
            TAGGING.check_dataset(str(tmp_path / "y.zip"))

    def test_queries(self) -> None:
        assert TAGGING.decode_query(["a", "b"]) == ["a", "b"]
        assert TAGGING.decode_query(("a",)) == ["a"]
        assert TAGGING.decode_query(np.array(["a"])) == ["a"]
        assert TAGGING.decode_query([]) == []
        with pytest.raises(InvalidQueryError, match="query is a str, expected a sentence"):
            TAGGING.decode_query("a b")
        with pytest.raises(InvalidQueryError, match=r"query\[1\] is a int"):
            TAGGING.decode_query(["a", 1])

    def test_predictions(self) -> None:
        assert TAGGING.check_prediction(["a", "b"], np.array([1, 2])) == [1, 2]
        assert TAGGING.check_prediction([], []) == []
        for wrong, message in (
            (3, "is a int; expected a list"),
            ([1], "has 1 tags for a sentence of 2 tokens"),
            ([1, 1.5], r"prediction\[1\] is a float"),
            ([True, 1], r"prediction\[0\] is a bool"),
        ):
            with pytest.raises(InvalidPredictionError, match=message):
                TAGGING.check_prediction(["a", "b"], wrong)

    def test_ensembles_vote_per_token_and_the_best_breaks_ties(self) -> None:
        assert TAGGING.combine([[1, 5, 2], [2, 5, 3], [2, 6, 4]]) == [2, 5, 2]
        assert TAGGING.combine([[1, 2], [2, 1]]) == [1, 2]
        assert TAGGING.combine([[9], [1], [2], [2], [1]]) == [1]
        assert TAGGING.combine_batch([[np.array([1]), [2, 2]]]) == [[1], [2, 2]]
        assert TAGGING.combine_batch([[[1], [2]], [[1], [3]], [[0], [3]]]) == [[1], [3]]

    def test_a_malformed_prediction_costs_its_vote_not_the_answer(self) -> None:
        for bad in (None, "x", [1], [1, 2, 3], [1.5, 2], 3):
            assert TAGGING.combine([[7, 8], bad, [7, 9]]) == [7, 8]
        assert TAGGING.combine([None, [1]]) == [1]
        assert TAGGING.combine([None, "x"]) is None

    def test_score_is_accuracy_over_tokens(self) -> None:
        assert TAGGING.score([[1, 2, 3], np.array([4])], [[1, 2, 0], [4]]) == 0.75
        with pytest.raises(InvalidPredictionError):
            TAGGING.score([[1]], [[1, 2]])


def test_custom_tasks_check_nothing_and_the_best_member_answers(tmp_path: Path) -> None:
    path = tmp_path / "any.csv"
    path.write_bytes(b"\xff\0")
    CUSTOM.check_dataset(str(path))
    assert list(CUSTOM.iterate(str(path))) == []
    assert CUSTOM.decode_query({"any": ["thing"]}) == {"any": ["thing"]}
    assert CUSTOM.check_prediction(None, {"a": np.int64(1)}) == {"a": 1}
    assert CUSTOM.combine([{"a": np.arange(2)}, "other"]) == {"a": [0, 1]}
    assert CUSTOM.combine_batch([np.array([1.5, 2]), [3, 4]]) == [1.5, 2]
    assert CUSTOM.score(["a", np.int64(2)], ["b", 2]) == 0.5
