import contextlib
import json
import math
import struct
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from rafiki.errors import InvalidParamsError
from rafiki.model.params import check_params, load_params, pack_params, save_params, unpack_params


def _assert_same(read, given_value):
    assert type(read) is type(given_value)
    if isinstance(given_value, (np.ndarray, np.generic)):
        assert read.dtype == given_value.dtype
        assert read.shape == given_value.shape
        assert read.tobytes() == given_value.tobytes()
    elif isinstance(given_value, float):
        assert struct.pack("<d", read) == struct.pack("<d", given_value) or (
            math.isnan(read) and math.isnan(given_value)
        )
    else:
        assert read == given_value


_FEW_OF_EACH = {
    "none": None,
    "bool": True,
    "int": -3,
    "huge": 1 << 20_000,
    "float": 0.1,
    "nan": math.nan,
    "inf": -math.inf,
    "text": "é",
    "long": "x" * 5000,
    "surrogates": "\ud83d\ude00",
    "bytes": b"\x00\xff",
    "empty": b"",
    "matrix": np.arange(6, dtype="<f4").reshape(2, 3),
    "point": np.array(3),
    "big-endian": np.arange(3, dtype=">i8"),
    "nothing": np.zeros((0, 4)),
    "half": np.float16(0.5),
    "double": np.float64(0.5),
    "flag": np.bool_(True),
    "complex": np.complex64(1j),
    "numpy text": np.str_("a\0"),
    "numpy bytes": np.bytes_(b"a\0"),
    "time": np.array(["2020-01-01", "NaT"], dtype="datetime64[D]"),
    "span": np.timedelta64(5, "s"),
    "words": np.array(["a", "bcd"]),
    "nodes": np.array([(1, 0.5, [1, 2])], dtype=np.dtype([("l", "i4"), ("t", "f8"), ("v", "i2", (2,))], align=True)),
    "": 1,
    "a/b\0\n'\"": 2,
    "\ud800": 3,
    "\ud83d\ude00": 4,
    "😀": 5,
}


@pytest.fixture(params=["bytes", "file"])
def round_trip(request, tmp_path):
    if request.param == "bytes":
        return lambda params: unpack_params(pack_params(params))

    def by_file(params):
        save_params(tmp_path / "trial.params", params)
        return load_params(tmp_path / "trial.params")

    return by_file


def test_what_is_written_is_what_is_read(round_trip):
    read = round_trip(_FEW_OF_EACH)
    assert list(read) == list(_FEW_OF_EACH)
    for key, value in _FEW_OF_EACH.items():
        _assert_same(read[key], value)


def test_no_parameters_are_fine(round_trip):
    assert round_trip({}) == {}


def test_arrays_come_back_plain_and_writable(round_trip, tmp_path):
    fortran = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    read_only = np.arange(3)
    read_only.setflags(write=False)
    mapped = np.memmap(tmp_path / "mapped", dtype="i4", mode="w+", shape=(2, 2))
    params = {
        "fortran": fortran,
        "strided": np.arange(10)[::3],
        "read-only": read_only,
        "mapped": mapped,
        "matrix": np.array([[1, 2]]).view(np.matrix),
        "broadcast": np.broadcast_to(np.float32(1), (2, 3)),
    }
    for key, array in round_trip(params).items():
        assert type(array) is np.ndarray
        assert array.flags.writeable
        assert array.flags.c_contiguous
        assert array.flags.aligned
        assert array.dtype == params[key].dtype
        np.testing.assert_array_equal(array, params[key])
        array[...] = 0


def test_scalars_of_a_subclass_come_back_as_their_base():
    class Text(str):
        pass

    class Count(int):
        pass

    read = unpack_params(pack_params({"t": Text("a"), "c": Count(2)}))
    assert read == {"t": "a", "c": 2}
    assert [type(value) for value in read.values()] == [str, int]


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ([1], "list"),
        (None, "NoneType"),
        ({1: 2}, "1 is of type int"),
        ({"w": [1, 2]}, "'w' is of type list"),
        ({"w": {}}, "'w' is of type dict"),
        ({"w": 1j}, "'w' is of type complex"),
        ({"w": bytearray(b"a")}, "'w' is of type bytearray"),
        ({"w": np.array([None])}, "'w' is of type numpy.ndarray, dtype object"),
        ({"w": np.array([(1, None)], dtype=[("a", "i4"), ("b", "O")])}, "'w' is of type numpy.ndarray"),
        ({"w": np.ma.masked_array([1, 2], [True, False])}, "'w' is a masked array"),
        ({"w": np.random.RandomState(0)}, "'w' is of type numpy.random"),
    ],
)
def test_anything_else_is_refused_by_key_and_type(params, said, tmp_path):
    for refuse in (check_params, pack_params, lambda params: save_params(tmp_path / "trial.params", params)):
        with pytest.raises(InvalidParamsError, match=said):
            refuse(params)
    assert list(tmp_path.iterdir()) == []


def test_saving_replaces_all_or_nothing(tmp_path):
    path = tmp_path / "trial.params"
    save_params(path, {"a": 1})
    with pytest.raises(InvalidParamsError):
        save_params(path, {"a": []})
    assert load_params(path) == {"a": 1}
    save_params(path, {"a": 2})
    assert load_params(path) == {"a": 2}
    assert list(tmp_path.iterdir()) == [path]


def test_arrays_can_be_memory_mapped_as_the_format_says(tmp_path):
    array = np.arange(1000, dtype=">f4").reshape(10, 100)
    save_params(tmp_path / "p", {"first": b"123", "w": array})
    data = (tmp_path / "p").read_bytes()
    assert data.startswith(b"RAFIKIP1")
    header_size = int.from_bytes(data[8:16], "little")
    (first, (key, kind, dtype, shape)) = json.loads(data[16 : 16 + header_size])
    assert (first, key, kind) == (["first", "bytes", 3], "w", "array")
    offset = -(-(16 + header_size) // 64) * 64
    offset = -(-(offset + 3) // 64) * 64
    np.testing.assert_array_equal(np.memmap(tmp_path / "p", dtype, "r", offset, tuple(shape)), array)


def test_many_small_values_are_fast():
    params = {f"layer.{i}": (i, i / 7, np.float32(i), np.array([i, i]))[i % 4] for i in range(20_000)}
    start = time.process_time()
    read = unpack_params(pack_params(params))
    assert time.process_time() - start < 2
    assert len(read) == len(params)


# --- damaged and forged files ---------------------------------------------------------------------------------------


def test_every_truncation_is_noticed():
    data = pack_params({"a": 1, "t": "x" * 2000, "w": np.arange(10)})
    for size in range(len(data)):
        with pytest.raises(InvalidParamsError):
            unpack_params(data[:size])
    with pytest.raises(InvalidParamsError):
        unpack_params(data + b"\0")


@pytest.mark.parametrize(
    "header",
    [
        "1",
        "{}",
        "null",
        "[1]",
        "[[]]",
        '[["a"]]',
        "[[1, 2]]",
        '[[["a", 1], 2]]',
        '[["a", [1]]]',
        '[["a", 1], ["a", 2]]',
        '[["a", "int", "xyz"]]',
        '[["a", "int", 5]]',
        '[["a", "float", "x"]]',
        '[["a", "bytes", -1]]',
        '[["a", "bytes", true]]',
        '[["a", "bytes", 1e3]]',
        '[["a", "bytes", 99999999999999]]',
        '[["a", "pickle", 0]]',
        '[["a", "array", "|O", [1]]]',
        '[["a", "array", "i4,i4", [1]]]',
        '[["a", "array", "<f4", [1000000000000]]]',
        '[["a", "array", "<f4", [-1]]]',
        '[["a", "array", "<f4", 3]]',
        '[["a", "array", "<f3", [0]]]',
        '[["a", "array", "<U999999999999999999999", [0]]]',
        '[["a", "array", "<f4", [0, 99999999999999999999999]]]',
        '[["a", "array", "<M8[foo]", [0]]]',
        '[["a", "array", {"x": 1}, [0]]]',
        '[["a", "array", ["fields", [["x", "|O", 0, null]], 8], [0]]]',
        '[["a", "array", ["fields", [["x", "<i4", 100, null]], 8], [0]]]',
        '[["a", "array", ["fields", [["x", "<i4", "0", null]], 8], [0]]]',
        '[["a", "array", ["fields", [["x", "<i4", 0]], 8], [0]]]',
        '[["a", "array", ["fields", [["x", "<i4", 0, 5]], 8], [0]]]',
        '[["a", "array", ["subarray", "<i4", [1000000000000]], [0]]]',
        '[["a", "array", ' + '["subarray", ' * 50 + '"<i4"' + ", [1]]" * 50 + ", [0]]]",
        "[" * 100_000 + "]" * 100_000,
        "[[" + "9" * 10_000 + "]]",
    ],
)
def test_forged_headers_are_refused(header):
    data = header.encode()
    with pytest.raises(InvalidParamsError):
        unpack_params(b"RAFIKIP1" + struct.pack("<Q", len(data)) + data)


def test_sizes_are_checked_before_anything_is_allocated(tmp_path):
    """A small file that announces a terabyte is refused by its size, not by the lack of memory."""
    header = json.dumps([["a", "array", "<f8", [2**37]]]).encode()
    (tmp_path / "p").write_bytes(b"RAFIKIP1" + struct.pack("<Q", len(header)) + header)
    with pytest.raises(InvalidParamsError, match="announces"):
        load_params(tmp_path / "p")


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damage_is_refused_or_harmless(data):
    content = bytearray(pack_params(_FEW_OF_EACH))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, 1600))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(InvalidParamsError):
        unpack_params(bytes(content))


# --- any value ------------------------------------------------------------------------------------------------------

_any_text = st.text(st.characters(blacklist_categories=()), max_size=5)
_dtypes = st.one_of(npst.scalar_dtypes(), npst.array_dtypes(max_size=3))
_values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(10**5000), 10**5000),
    st.floats(),
    _any_text,
    st.binary(max_size=5),
    npst.arrays(_dtypes, npst.array_shapes(min_dims=0, min_side=0, max_side=3)),
    npst.scalar_dtypes().flatmap(npst.from_dtype),
)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(_any_text, _values, max_size=5))
def test_round_trip_loses_nothing(params):
    read = unpack_params(pack_params(params))
    assert list(read) == list(params)
    for key, value in params.items():
        _assert_same(read[key], value)
