"""Bodies to queries: the fast way for arrays gives what the plain way gives, and faults are told with their place."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from rafiki.errors import InvalidQueryError, InvalidRequestError, RafikiError
from rafiki.predictor.decoding import QueryDecoder
from rafiki.tasks import get_task

images = QueryDecoder(get_task("IMAGE_CLASSIFICATION"))
sentences = QueryDecoder(get_task("POS_TAGGING"))
anything = QueryDecoder(get_task("some task"))


def _body(**content: Any) -> bytes:
    return json.dumps(content).encode()


def _image(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("shape", [(8, 8), (5, 3), (1, 1), (4, 4, 1), (28, 28, 3), (6, 5, 4), (3, 3), (3, 4, 3)])
@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": "), (" ,\n", "\t:\r\n")])
def test_images_are_decoded_alike_however_they_are_written(shape: tuple[int, ...], separators: tuple[str, str]) -> None:
    image = _image(*shape)
    task = get_task("IMAGE_CLASSIFICATION")
    decoded = images.decode(json.dumps({"query": image.tolist()}, separators=separators).encode())
    assert not decoded.is_batch
    np.testing.assert_array_equal(decoded.values[0], task.decode_query(image.tolist()))
    assert decoded.values[0].dtype == np.uint8


@pytest.mark.parametrize("content", ["queries first", "floats", "sizes", "both"])
def test_what_is_not_in_the_fast_form_is_decoded_too(content: str) -> None:
    a, b = _image(4, 4, 3), _image(2, 3, 3)
    body = {
        "queries first": _body(queries=[a.tolist(), a.tolist()], query=None),
        "floats": _body(queries=[a.astype(float).tolist(), a.tolist()]),
        "sizes": _body(queries=[a.tolist(), b.tolist()]),
        "both": _body(query=b.tolist(), queries=[a.tolist(), a.tolist()]),
    }[content]
    first, second = images.decode(body).values
    np.testing.assert_array_equal(first, a)
    np.testing.assert_array_equal(second, b if content == "sizes" else a)


def test_a_batch_of_images() -> None:
    batch = _image(5, 4, 3, 3)
    decoded = images.decode(_body(queries=batch.tolist()))
    assert decoded.is_batch
    np.testing.assert_array_equal(np.stack(decoded.values), batch)


@pytest.mark.parametrize(
    ("query", "place"),
    [
        ([[1, 2], [3], [4, 5, 6]], "query: query[1]"),  # as many numbers as a regular one
        ([[1, 2], [3, 256]], "query: query[1][1]"),
        ([[1, 2], [3, -1]], "query: query[1][1]"),
        ([[1, 2], [3, 0.5]], "query: query[1][1]"),
        ([[1, 2], [3, "4"]], "query: "),
        ([[1, 2], [3, None]], "query: "),
        ([[1, 2], [3, [4]]], "query: query[1][1]"),
        ([1, 2, 3], "query: "),
        ([], "query: "),
        ([[]], "query: "),
        ([[[1, 2]]], "query: "),
        ("a cat", "query: "),
        (7, "query: "),
    ],
)
def test_what_is_no_image_is_refused(query: Any, place: str) -> None:
    with pytest.raises(InvalidQueryError) as caught:
        images.decode(_body(query=query))
    assert caught.value.message.startswith(place)


def test_the_place_of_a_fault_in_a_batch_is_named() -> None:
    good = _image(2, 2).tolist()
    with pytest.raises(InvalidQueryError, match=r"^queries\[2\]: query\[1\]\[0\]"):
        images.decode(_body(queries=[good, good, [[1, 2], [999, 4]], good]))
    with pytest.raises(InvalidQueryError, match=r"^queries\[1\]: query\[2\]"):
        sentences.decode(_body(queries=[["a"], ["b", "c", 4]]))


def test_other_queries_are_plain_values() -> None:
    assert sentences.decode(_body(query=["Hello", "world"])).values == [["Hello", "world"]]
    assert anything.decode(_body(queries=[{"a": [1, 2.5]}, None, "x", 2**70])).values == [
        {"a": [1, 2.5]}, None, "x", 2**70,
    ]  # fmt: skip
    assert anything.decode(_body(queries=[])) == ([], True)
    assert anything.decode(_body(query=0)).values == [0]


@pytest.mark.parametrize("decoder", [images, sentences, anything])
@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"nonsense", b'{"query": [1,}', b"[" * 5000, b"[]", b"3", b"null", b"{}", b'{"queries": null}',
     b'{"query": null}', b'{"other": 1}', b"\xff\xfe", b'"query"'],
)  # fmt: skip
def test_what_asks_nothing_is_refused(decoder: QueryDecoder, body: bytes) -> None:
    with pytest.raises(InvalidRequestError):
        decoder.decode(body)


@pytest.mark.parametrize("queries", [{"a": 1}, "text", 5])
def test_queries_must_be_a_list(queries: Any) -> None:
    for decoder in (images, sentences, anything):
        with pytest.raises(InvalidQueryError, match="queries"):
            decoder.decode(_body(queries=queries))


def test_a_fault_does_not_spoil_the_next_body() -> None:
    good = _body(query=[[1, 2], [3, 4]])
    for bad in (b"{", b'{"query": [[1], [2, 3]]}', b'{"query": {}}', b'{"queries": [[[1, 2], [3]]]}'):
        with pytest.raises(RafikiError):
            images.decode(bad)
        assert images.decode(good).values[0].shape == (2, 2, 3)
