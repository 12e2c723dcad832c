"""The protocol between runner and worker: what is sent comes out, and nothing else is ever taken."""

from __future__ import annotations

import json
import os
import struct
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rafiki.entities import Failure
from rafiki.worker.checks import MAX_FAILURE_CHARS
from rafiki.worker.frames import (
    MAX_BULK_BYTES,
    MAX_FRAME_BYTES,
    MAX_PREDICTION_JSON_BYTES,
    REPLIES,
    REQUESTS,
    Bulk,
    Exit,
    Failed,
    FrameSplitter,
    Inspect,
    Inspected,
    Load,
    Loaded,
    Log,
    Predict,
    Predicted,
    ProtocolError,
    Train,
    Trained,
    decode,
    encode,
    fetch,
    to_wire,
)
from rafiki.worker.values import MAX_ARRAYS

SIZE = struct.Struct("<I")


def body_of(header: object, payload: bytes = b"") -> bytearray:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return bytearray(SIZE.pack(len(text)) + text + payload)


def sent(message: object, allowed: tuple[type, ...]) -> object:
    number, received = decode(bytearray(encode(message, 7)), allowed)
    assert number == 7
    return received


@pytest.mark.parametrize(
    "message",
    [
        Inspect(),
        Train("t", {"x": 0.5, "layers": [1, 2]}, "/train", "/val", "/shared", {"features": ["é"]}, "/params", False),
        Train("t", {}, "/train", "/val"),
        Load({"x": 1}, "/params"),
        Exit(),
    ],
)
def test_requests_arrive_as_they_were_sent(message: object) -> None:
    assert sent(message, REQUESTS) == message


@pytest.mark.parametrize(
    "message",
    [
        Inspected('{"x": 1}', ["a warning"]),
        Trained(0.25, True),
        Trained(None, False),
        Loaded(),
        Failed(Failure("EXCEPTION", "ValueError: ☂", "a hint")),
        Log("t", ["{}", "☂"], 3),
    ],
)
def test_replies_arrive_as_they_were_sent(message: object) -> None:
    assert sent(message, REPLIES) == message


@pytest.mark.parametrize(
    "queries",
    [
        [np.arange(192, dtype=np.uint8).reshape(8, 8, 3), np.zeros((8, 8, 3), np.uint8)],
        [np.zeros((2, 3), np.uint8), np.ones((3, 2), np.float32), np.array(5), np.zeros((0, 4), np.uint8)],
        [np.zeros((4, 6), np.uint8)[:, ::2]],
        [["a", "dog"], {"a": None, "b": [1.5, "ü"]}, 3, "text"],
        [],
    ],
)
def test_queries_arrive_as_they_were_sent(queries: list[object]) -> None:
    received = sent(Predict(queries), REQUESTS)
    assert isinstance(received, Predict)
    assert len(received.queries) == len(queries)
    for query, expected in zip(received.queries, queries, strict=True):
        if isinstance(expected, np.ndarray):
            assert query.dtype == expected.dtype
            assert query.flags.writeable
            np.testing.assert_array_equal(query, expected)
        else:
            assert query == expected


def test_vectors_arrive_as_one_float64_array() -> None:
    received = sent(Predicted(np.array([[0.1, 0.9], [0.5, float("nan")]])), REPLIES)
    assert isinstance(received, Predicted)
    assert isinstance(received.predictions, np.ndarray)
    assert received.predictions.dtype == np.float64
    np.testing.assert_array_equal(received.predictions, [[0.1, 0.9], [0.5, float("nan")]])


def test_lone_surrogates_are_escaped_by_the_sender_and_refused_by_the_receiver() -> None:
    received = sent(Failed(Failure("EXCEPTION", "bad \udcff name")), REPLIES)
    assert received == Failed(Failure("EXCEPTION", "bad \\udcff name"))
    with pytest.raises(ProtocolError):
        decode(body_of({"kind": "Log", "id": None, "trial_id": "t", "lines": ["\ud800"], "n_dropped": 0}), REPLIES)


FORGED = {
    "empty": bytearray(),
    "no header": bytearray(b"\x01\x00"),
    "header beyond the frame": bytearray(SIZE.pack(1000) + b"{}"),
    "header beyond 32 bits": bytearray(b"\xff\xff\xff\xff{}"),
    "no JSON": body_of(b"\x80\x04pickle"),
    "no object": body_of([]),
    "deep nesting": body_of(b"[" * 100_000),
    "long number": body_of(b'{"kind": "Trained", "id": ' + b"9" * 10_000 + b"}"),
    "no kind": body_of({"id": 1}),
    "unknown kind": body_of({"kind": "os.system", "id": 1}),
    "a kind that is no text": body_of({"kind": ["Log"], "id": 1}),
    "a request as a reply": body_of({"kind": "Exit", "id": 1}),
    "a field too many": body_of({"kind": "Loaded", "id": 1, "more": 2}),
    "a field too few": body_of({"kind": "Trained", "id": 1, "score": 0.5}),
    "an id that is no number": body_of({"kind": "Loaded", "id": "1"}),
    "a score that is no number": body_of({"kind": "Trained", "id": 1, "score": "0.5", "has_params": True}),
    "a score that is not finite": body_of({"kind": "Trained", "id": 1, "score": float("nan"), "has_params": True}),
    "lines that are no list": body_of({"kind": "Log", "id": None, "trial_id": "t", "lines": "abc", "n_dropped": 0}),
    "a failure without a message": body_of({"kind": "Failed", "id": 1, "failure": {"code": "EXCEPTION"}}),
    "a failure of numbers": body_of({"kind": "Failed", "id": 1, "failure": {"code": 1, "message": 2}}),
    "vectors without bytes": body_of({"kind": "Predicted", "id": 1, "values": {"vectors": [1000, 1000]}}),
    "too few bytes": body_of({"kind": "Predicted", "id": 1, "values": {"vectors": [1, 2]}}, b"12345678"),
    "a negative shape": body_of({"kind": "Predicted", "id": 1, "values": {"vectors": [-1, -1]}}, b"12345678"),
    "a billion nothings": body_of(
        {"kind": "Predicted", "id": 1, "values": {"dtype": "<f8", "shape": [1_000_000_000, 0]}}
    ),
    "objects": body_of({"kind": "Predicted", "id": 1, "values": {"dtype": "|O8", "shape": [1]}}, b"12345678"),
    "values of no kind": body_of({"kind": "Predicted", "id": 1, "values": None}),
    "predictions that are no list": body_of({"kind": "Predicted", "id": 1, "values": {"json": True}}, b'"abc"'),
    "a bulk name that is no text": body_of({"bulk": 5}),
}


@pytest.mark.parametrize("body", FORGED.values(), ids=FORGED.keys())
def test_a_forged_frame_is_a_protocol_error(body: bytearray) -> None:
    with pytest.raises(ProtocolError):
        decode(body, REPLIES)


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_a_protocol_error(data: bytes) -> None:
    for body in (bytearray(data), body_of(data), body_of(b"{" + data), body_of({"kind": "Predicted", "id": 1}, data)):
        with pytest.raises(ProtocolError):
            decode(body, REPLIES)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(
    st.sampled_from(["Inspected", "Trained", "Predicted", "Failed", "Log"]),
    json_values,
    st.dictionaries(st.sampled_from(["score", "has_params", "values", "failure", "lines", "trial_id"]), json_values),
)
def test_no_header_raises_anything_but_a_protocol_error(kind: str, number: object, fields: dict[str, object]) -> None:
    with suppress(ProtocolError):
        decode(body_of({"kind": kind, "id": number, **fields}), REPLIES)


# --- the stream -------------------------------------------------------------------------------------------------------


@given(st.lists(st.binary(max_size=20), max_size=5), st.integers(1, 30))
def test_a_stream_is_cut_at_its_frames_however_it_arrives(bodies: list[bytes], n_at_a_time: int) -> None:
    stream = b"".join(SIZE.pack(len(body)) + body for body in bodies)
    splitter = FrameSplitter()
    received: list[bytes] = []
    for start in range(0, len(stream), n_at_a_time):
        splitter.feed(stream[start : start + n_at_a_time])
        received += splitter.bodies()
    assert received == bodies


def test_a_frame_that_announces_too_much_is_refused_before_it_arrives() -> None:
    splitter = FrameSplitter()
    splitter.feed(SIZE.pack(MAX_FRAME_BYTES + 1))
    with pytest.raises(ProtocolError, match="announces"):
        list(splitter.bodies())


# --- by file ----------------------------------------------------------------------------------------------------------


def test_a_large_message_goes_by_a_file_that_is_gone_afterwards(tmp_path: Path) -> None:
    array = np.random.default_rng(0).random((2000, 100))
    wire = to_wire(encode(Predicted(array), 3), str(tmp_path))
    assert len(wire) < 200
    assert [path.name.startswith("bulk-") for path in tmp_path.iterdir()] == [True]
    splitter = FrameSplitter()
    splitter.feed(wire)
    (body,) = splitter.bodies()
    _, bulk = decode(body, REPLIES)
    assert isinstance(bulk, Bulk)
    number, received = decode(fetch(bulk, str(tmp_path)), REPLIES)
    assert number == 3
    assert isinstance(received, Predicted)
    np.testing.assert_array_equal(received.predictions, array)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "", ".", "bulk-", "bulk-0123456789abcdef/../x", "bulk-0123456789abcdeg"]
)
def test_a_forged_path_is_a_protocol_error(name: str, tmp_path: Path) -> None:
    with pytest.raises(ProtocolError, match="not the name"):
        fetch(Bulk(name), str(tmp_path))


def test_only_plain_files_of_bounded_size_are_read(tmp_path: Path) -> None:
    name = "bulk-0123456789abcdef"
    path = tmp_path / name
    with pytest.raises(ProtocolError, match="cannot be read"):
        fetch(Bulk(name), str(tmp_path))
    path.symlink_to("/etc/passwd")
    with pytest.raises(ProtocolError, match="cannot be read"):
        fetch(Bulk(name), str(tmp_path))
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(ProtocolError, match="no plain file"):
        fetch(Bulk(name), str(tmp_path))
    path.unlink()
    with path.open("wb") as file:
        file.truncate(MAX_BULK_BYTES + 1)
    with pytest.raises(ProtocolError, match="no plain file"):
        fetch(Bulk(name), str(tmp_path))


def test_a_worker_says_of_itself_only_what_it_can_know() -> None:
    for code in ("INTERRUPTED", "BUDGET_OVER", "STOPPED_BY_USER", "KILLED", "no code"):
        failure = {"code": code, "message": "try again", "hint": ""}
        with pytest.raises(ProtocolError, match=code):
            decode(body_of({"kind": "Failed", "id": 1, "failure": failure}), REPLIES)
    endless = {"code": "EXCEPTION", "message": "x" * 1_000_000, "hint": "y" * 1_000_000}
    _, failed = decode(body_of({"kind": "Failed", "id": 1, "failure": endless}), REPLIES)
    assert isinstance(failed, Failed)
    assert len(failed.failure.message) == len(failed.failure.hint) == MAX_FAILURE_CHARS
    assert sent(Failed(Failure("EXCEPTION", "x" * 1_000_000)), REPLIES) == Failed(
        Failure("EXCEPTION", "x" * MAX_FAILURE_CHARS)
    )


def test_predictions_that_a_runner_could_not_hold_are_refused_on_either_side() -> None:
    with pytest.raises(ValueError, match="at most 16777216 can be sent"):
        encode(Predicted(["x" * MAX_PREDICTION_JSON_BYTES]), 1)
    payload = b"[" + b" " * MAX_PREDICTION_JSON_BYTES + b"]"
    header = {"kind": "Predicted", "id": 1, "values": {"json": True}}
    with pytest.raises(ProtocolError, match="of JSON"):
        decode(body_of(header, payload), REPLIES)
    n_arrays = 2 * MAX_ARRAYS
    header = {"kind": "Predicted", "id": 1, "values": {"dtype": "|u1", "shape": [n_arrays, 1]}}
    with pytest.raises(ProtocolError, match=f"{n_arrays} arrays"):
        decode(body_of(header, bytes(n_arrays)), REPLIES)
