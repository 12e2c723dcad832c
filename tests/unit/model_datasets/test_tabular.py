import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rafiki.model import InvalidDatasetFormatException, TabularSchema, dataset
from rafiki.model import dataset_tabular as tabular

CSV = '''\ufeffage,alone,"sex",name,fare, class
22,true, male ,"Braund, Mr. ""O""",7.25,b
,FALSE,female,Cumings,1e2,a
38.5,,,"two
lines",NA,b

-4,True,male,,.5,c
'''
NAN = math.nan


@pytest.fixture
def write(tmp_path: Path):
    def write_file(text: str | bytes, name: str = "table.csv") -> str:
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return str(path)

    return write_file


def test_columns_have_types_and_missing_values(write) -> None:
    table = dataset.load_dataset_of_tabular(write(CSV))
    assert (table.size, len(table), table.path.endswith("table.csv"), type(table.size)) == (4, 4, True, int)
    types = [(column.name, column.type) for column in table.schema.features]
    assert types == [
        ("age", "number"),
        ("alone", "boolean"),
        ("sex", "category"),
        ("name", "category"),
        ("fare", "number"),
    ]
    assert (table.schema.target.name, table.schema.target.type) == ("class", "category")
    assert table.columns["age"].dtype == table.columns["fare"].dtype == np.float64
    np.testing.assert_array_equal(table.columns["age"], [22, NAN, 38.5, -4])
    np.testing.assert_array_equal(table.columns["fare"], [7.25, 100, NAN, 0.5])
    assert table.columns["alone"].tolist() == [True, False, None, True]
    assert table.columns["sex"].tolist() == ["male", "female", None, "male"]
    assert table.columns["name"].tolist() == ['Braund, Mr. "O"', "Cumings", "two\nlines", None]
    assert table.targets.tolist() == ["b", "a", "b", "c"]


def test_rows_are_queries_with_targets(write) -> None:
    table = dataset.load_dataset_of_tabular(write(CSV))
    first = ({"age": 22, "alone": True, "sex": "male", "name": 'Braund, Mr. "O"', "fare": 7.25}, "b")
    assert table[0] == first
    assert next(iter(table)) == first
    assert table[-2][0] == {"age": 38.5, "alone": None, "sex": None, "name": "two\nlines", "fare": None}
    assert json.loads(json.dumps([row for row, _ in table])) == [row for row, _ in table]
    assert type(table[0][0]["age"]) is int
    assert list(table[0][0]) == ["age", "alone", "sex", "name", "fare"]
    with pytest.raises(IndexError):
        table[4]


def test_features_and_target_are_chosen(write) -> None:
    path = write(CSV)
    table = dataset.load_dataset_of_tabular(path, features=["name", "age"])
    assert table.schema.feature_names == ["name", "age"]
    assert table.schema.target.name == "class"
    table = dataset.load_dataset_of_tabular(path, target="class", features=["sex"])
    assert [row for row, _ in table] == [{"sex": "male"}, {"sex": "female"}, {"sex": None}, {"sex": "male"}]
    other = write("a,b,c\n1,2,3\n4,5,6\n", "other.csv")
    assert dataset.load_dataset_of_tabular(other, target="b").schema.feature_names == ["a", "c"]
    assert dataset.load_dataset_of_tabular(other, target="b").targets.tolist() == [2, 5]


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["1", "+2.5", "-3e-2", " 4 ", ".5", "6."], "number"),
        (["1", "", "nan", "N/A", "null", "?", "inf", "1e999"], "number"),
        (["", "", " "], "number"),
        (["true", "False", "", "TRUE"], "boolean"),
        (["1", "true"], "category"),
        (["1", "2", "x"], "category"),
        (["1_000", "2"], "category"),
        (["1,5", "2"], "category"),
        ([f"v{i}" for i in range(10)], "category"),
        ([f"v{i}" for i in range(11)], "text"),
        ([f"v{i}" for i in range(200)] * 2, "category"),
        ([f"v{i}" for i in range(300)] * 2, "text"),
        ([f"v{i}" for i in range(20)] + ["v0"] * 19, "text"),
    ],
)
def test_types_follow_from_the_cells(write, cells: list[str], kind: str) -> None:
    path = write("\n".join(["x,target", *(f'"{cell}",0' for cell in cells)]))
    table = dataset.load_dataset_of_tabular(path)
    assert table.schema.features[0].type == kind
    if kind == "number":
        assert not np.isinf(table.columns["x"]).any()


def test_types_do_not_depend_on_where_chunks_end(write, monkeypatch) -> None:
    path = write("x,y,t\n" + "".join(f"{i},a,{i % 3}\n" for i in range(20)) + "last,,1\n")
    whole = dataset.load_dataset_of_tabular(path)
    monkeypatch.setattr(tabular, "_CHUNK_ROWS", 3)
    pieces = dataset.load_dataset_of_tabular(path)
    assert pieces.schema.to_json() == whole.schema.to_json()
    assert list(pieces) == list(whole)
    assert whole.schema.features[0].type == "text"
    assert pieces[20] == ({"x": "last", "y": None}, 1)


def test_classes_are_ranks(write) -> None:
    path = write("x,t\n" + "".join(f"1,{t}\n" for t in ["10", "9", "-1.5", "9.0", "10"]))
    table = dataset.load_dataset_of_tabular(path)
    assert table.class_values == [-1.5, 9, 10]
    assert (table.classes, type(table.classes)) == (3, int)
    assert table.class_numbers().tolist() == [2, 1, 0, 1, 2]
    text = dataset.load_dataset_of_tabular(write("x,t\n1,b\n1,B\n1,10\n1,9\n1,é\n1,a\n"))
    assert text.class_values == ["10", "9", "B", "a", "b", "é"]
    truth = dataset.load_dataset_of_tabular(write("x,t\n1,true\n1,false\n"))
    assert (truth.class_values, truth.class_numbers().tolist()) == ([False, True], [1, 0])


def test_classes_of_all_data(write) -> None:
    train = dataset.load_dataset_of_tabular(write("x,t\n1,c\n1,a\n"))
    val = dataset.load_dataset_of_tabular(write("x,t\n1,b\n1,c\n", "val.csv"), schema=train.schema)
    assert val.class_numbers(train.class_values).tolist() == [-1, 1]
    both = dataset.merge_class_values(train.class_values, val.class_values)
    assert both == ["a", "b", "c"]
    assert val.class_numbers(both).tolist() == [1, 2]
    spread = dataset.spread_probabilities([[0.25, 0.75]], train.class_values, both)
    assert spread.tolist() == [[0.25, 0, 0.75]]


class TestSchema:
    @pytest.fixture
    def schema(self, write) -> TabularSchema:
        return dataset.load_dataset_of_tabular(write(CSV), features=["age", "alone", "sex", "fare"]).schema

    def test_queries_become_what_the_training_data_is(self, write, schema: TabularSchema) -> None:
        table = dataset.load_dataset_of_tabular(write(CSV), schema=TabularSchema.from_json(schema.to_json()))
        for one_hot in (False, True):
            matrix = schema.to_matrix([row for row, _ in table], one_hot)
            np.testing.assert_array_equal(matrix, table.to_matrix(one_hot))
            assert matrix.dtype == np.float64
            assert matrix.shape == (4, len(schema.matrix_columns(one_hot)))
            assert schema.to_matrix([], one_hot).shape == (0, matrix.shape[1])
        assert schema.matrix_columns(one_hot=True) == ["age", "alone", "sex=female", "sex=male", "fare"]
        assert schema.matrix_columns() == ["age", "alone", "sex", "fare"]
        np.testing.assert_array_equal(
            table.to_matrix(), [[22, 1, 1, 7.25], [NAN, 0, 0, 100], [38.5, NAN, NAN, NAN], [-4, 1, 1, 0.5]]
        )
        np.testing.assert_array_equal(
            table.to_matrix(one_hot=True)[:3], [[22, 1, 0, 1, 7.25], [NAN, 0, 1, 0, 100], [38.5, NAN, 0, 0, NAN]]
        )

    @pytest.mark.parametrize(
        ("query", "row"),
        [
            ({}, [NAN, None, None, NAN]),
            ({"age": None, "alone": None, "sex": None, "fare": None, "other": 1}, [NAN, None, None, NAN]),
            ({"fare": 3, "age": "22", "sex": " male", "alone": "true"}, [22.0, True, "male", 3.0]),
            ({"age": True, "alone": 0, "sex": 3.0, "fare": "NA"}, [1.0, False, "3", NAN]),
            ({"age": "old", "alone": "perhaps", "sex": "", "fare": 10**400}, [NAN, None, None, NAN]),
            ({"age": [1], "alone": {}, "sex": [], "fare": float("inf")}, [NAN, None, None, NAN]),
            ({"age": np.float32(2), "sex": NAN, "fare": np.int64(5)}, [2.0, None, None, 5.0]),
        ],
    )
    def test_any_value_of_a_query_can_be_read(self, schema: TabularSchema, query: Any, row: list[Any]) -> None:
        read = schema.read_query(query)
        assert repr(read) == repr(row)  # also as to types and NaN

    def test_unseen_categories_are_missing(self, schema: TabularSchema) -> None:
        assert np.isnan(schema.to_matrix([{"sex": "other"}])[0, 2])
        assert schema.to_matrix([{"sex": "other"}], one_hot=True)[0, 2:4].tolist() == [0, 0]

    def test_other_data_is_read_with_the_types_of_training(self, write) -> None:
        train = dataset.load_dataset_of_tabular(write("code,n,t\n007,1,x\nA1,2,y\n"))
        val = dataset.load_dataset_of_tabular(
            write("n,more,t,code\nfew,?,y,007\n5,?,x,8\n", "val.csv"), schema=train.schema
        )
        assert list(val) == [({"code": "007", "n": None}, "y"), ({"code": "8", "n": 5}, "x")]
        np.testing.assert_array_equal(val.to_matrix(), [[0, NAN], [NAN, 5]])
        with pytest.raises(InvalidDatasetFormatException, match=r"val\.csv: row 1: no column 'code'; found 'n', 't'"):
            dataset.load_dataset_of_tabular(write("n,t\n1,x\n", "val.csv"), schema=train.schema)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["empty", "header"]),
        ("\n", ["row 1", "at least two names"]),
        ("a;b\n1;2\n", ["row 1", "separated by commas", "'a;b'"]),
        ("a,b\n", ["no rows"]),
        ("a,b\n\n\n", ["no rows"]),
        ("a,b\n1,2\n1\n", ["row 3", "1 value;", "expected 2"]),
        ("a,b\n1,2,3\n", ["row 2", "3 values", "double quotes"]),
        ("a,a\n1,2\n", ["row 1", "'a'", "two columns"]),
        (",a\n1,2\n", ["row 1", "column 1 has no name", "index=False"]),
        ('a,b\n"1,2\n', ["row 2", "never closed"]),
        ('a,b\n1,2\n1,"2\n3,4\n5,6\n', ["row 3", "a quote that is opened here is never closed"]),
        (f"a,b\n1,{'x' * 140_000}\n", ["row 2", "more than 131072 characters"]),
        ('a,b\n1,"x"y\n', ["row 2", "not a row of CSV"]),
        ("a,b\n1,2\n1,\0\n", ["row 3", "NUL"]),
        ("a,b\n1,2\n1,é\n".encode("latin1"), ["row 3", "0xe9", "UTF-8"]),
        ("a,b\n1,2\n".encode("utf-16"), ["row 1", "UTF-8"]),
        ("a,b\n1,x\n2,\n", ["row 3", "'b'", "a target is never missing"]),
        ("a,b\n1,1\n2,\n3,4\n", ["row 3", "'b'", "a number"]),
    ],
)
def test_says_what_is_wrong_and_where(write, text: str | bytes, expected: list[str]) -> None:
    with pytest.raises(InvalidDatasetFormatException) as error:
        dataset.load_dataset_of_tabular(write(text))
    for part in ["table.csv", *expected]:
        assert part in str(error.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"target": "z"}, r"no column 'z'; found 'a', 'b', 'c'"),
        ({"features": ["a", "y"]}, r"no column 'y'"),
        ({"features": []}, "expected a list of at least one"),
        ({"features": "a"}, "expected a list"),
        ({"features": ["a", "c"]}, "has the target 'c'"),
        ({"features": ["a", "a"]}, "'a' twice"),
        ({"features": [1]}, "no column '1'"),
    ],
)
def test_says_which_columns_cannot_be_chosen(write, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidDatasetFormatException, match=message):
        dataset.load_dataset_of_tabular(write("a,b,c\n1,2,3\n"), **arguments)


def test_missing_file_is_what_python_says(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        dataset.load_dataset_of_tabular(str(tmp_path / "none.csv"))
