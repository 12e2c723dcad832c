"""What a runner and its worker say to each other: every message, and how it looks on the wire.

| request | answered by | meaning |
| --- | --- | --- |
| `Inspect` | `Inspected` | look at the template's class |
| `Train` | `Trained` | run one trial: construct, train, evaluate, dump, destroy |
| `Load` | `Loaded` | construct with these knobs and load these parameters, for `Predict` |
| `Predict` | `Predicted` | answer these queries, in order |
| `Exit` | end of file | call the class's `teardown` and end |

Any request may be answered by `Failed`, which says why. `Log` comes unasked, while a trial runs and before its answer.
A worker answers requests in the order in which they came. Each carries a number that its answer repeats.

On the wire (a byte stream, both directions alike), integers are little-endian:

    frame  = u32 size of body | body                                body is at most MAX_FRAME_BYTES
    body   = u32 size of header | header (JSON) | payload           payload: the values of `Predict` and `Predicted`

A body that is larger lies in a file of the scratch folder, which the sender has written and renamed and the receiver
removes; in its place goes a frame with the header `{"bulk": "<name of the file>"}`. The header of all others is
`{"kind": "<message>", "id": <number or null>, ...fields}`. What cannot be decoded is a `ProtocolError`, whatever it is.
"""

from __future__ import annotations

import json
import os
import re
import stat
import struct
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Optional, Sequence, Tuple, Type, Union

from rafiki.entities import Failure
from rafiki.worker.checks import MAX_FAILURE_CHARS, clean_text, failure_of_texts, of_type
from rafiki.worker.checks import ProtocolError as ProtocolError
from rafiki.worker.values import (
    MAX_PREDICTION_JSON_BYTES,
    MAX_QUERY_JSON_BYTES,
    decode_values,
    encode_values,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Largest body that goes over the wire itself, largest that goes by file, largest header of either.
MAX_FRAME_BYTES = 1 << 20
MAX_BULK_BYTES = 512 << 20
MAX_HEADER_BYTES = 4 << 20

# Without what `json.dumps` and `json.loads` do around these, which counts in a prediction's 100 us.
_to_json = json.JSONEncoder(separators=(",", ":")).encode
_from_json = json.JSONDecoder().decode
_SIZE = struct.Struct("<I")
_BULK_NAME = re.compile(r"bulk-[0-9a-f]{16}")


# --- requests -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Inspect:
    """Check the class against the rules of model templates, and read its knob config."""


@dataclass(frozen=True)
class Train:
    """Run one trial. Paths are files as the worker sees them.

    `params_path` is where the parameters go (`rafiki.model.params` format); `None` asks for none.
    """

    trial_id: str
    knobs: Dict[str, Any]
    train_path: str
    val_path: str
    shared_params_path: Optional[str] = None
    train_args: Optional[Dict[str, Any]] = None
    params_path: Optional[str] = None
    to_eval: bool = True


@dataclass(frozen=True)
class Load:
    knobs: Dict[str, Any]
    params_path: str


@dataclass(frozen=True)
class Predict:
    """Queries as a template's `predict` gets them: arrays, or JSON values."""

    queries: Sequence[Any]


@dataclass(frozen=True)
class Exit:
    pass


# --- replies ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Inspected:
    knob_config: str  # text of `serialize_knob_config`
    warnings: List[str]


@dataclass(frozen=True)
class Trained:
    score: Optional[float]  # finite; None when the trial was not to be evaluated
    has_params: bool  # the file at `params_path` is there


@dataclass(frozen=True)
class Loaded:
    pass


@dataclass(frozen=True)
class Predicted:
    """One prediction per query: a float64 array (queries x k) when all are vectors of k floats, else plain values."""

    predictions: Union[NDArray[Any], List[Any]]


@dataclass(frozen=True)
class Failed:
    failure: Failure


@dataclass(frozen=True)
class Log:
    """Lines of a trial's log, each a JSON object as `rafiki.model.log` makes them; `n_dropped` more were lost."""

    trial_id: str
    lines: List[str]
    n_dropped: int = 0


Request = Union[Inspect, Train, Load, Predict, Exit]
Reply = Union[Inspected, Trained, Loaded, Predicted, Failed]
Message = Union[Request, Reply, Log]

REQUESTS: Tuple[Type[Any], ...] = (Inspect, Train, Load, Predict, Exit)
REPLIES: Tuple[Type[Any], ...] = (Inspected, Trained, Loaded, Predicted, Failed, Log)
ANSWERS: Dict[Type[Any], Type[Any]] = {Inspect: Inspected, Train: Trained, Load: Loaded, Predict: Predicted}
_KINDS: Dict[str, Type[Any]] = {kind.__name__: kind for kind in REQUESTS + REPLIES}
#: The field of a message that travels as payload, and the most of it that may be JSON.
_PAYLOADS: Dict[Type[Any], Tuple[str, int]] = {
    Predict: ("queries", MAX_QUERY_JSON_BYTES),
    Predicted: ("predictions", MAX_PREDICTION_JSON_BYTES),
}


# --- encoding -----------------------------------------------------------------------------------------------------


def encode(message: Message, message_id: Optional[int]) -> bytes:
    """The body of a message. Raises `TypeError` or `ValueError` for values that have no JSON form."""
    header: Dict[str, Any] = {"kind": type(message).__name__, "id": message_id}
    payload = b""
    values = _PAYLOADS.get(type(message))
    if values is not None:
        header["values"], payload = encode_values(getattr(message, values[0]), values[1])
    elif isinstance(message, Failed):
        texts = message.failure.to_json()
        header["failure"] = {name: clean_text(text[:MAX_FAILURE_CHARS]) for name, text in texts.items()}
    elif isinstance(message, Log):
        header.update(message.__dict__, lines=[clean_text(line) for line in message.lines])
    else:
        header.update(message.__dict__)
    return _body(header, payload)


def _body(header: Dict[str, Any], payload: bytes) -> bytes:
    text = _to_json(header).encode()
    return b"".join((_SIZE.pack(len(text)), text, payload))


def to_wire(body: bytes, scratch_dir: str) -> bytes:
    """The frame that brings `body` to the other side; a large body is written to the scratch folder on the way."""
    if len(body) > MAX_FRAME_BYTES:
        body = _body({"bulk": _write_bulk(body, scratch_dir)}, b"")
    return _SIZE.pack(len(body)) + body


def _write_bulk(body: bytes, scratch_dir: str) -> str:
    if len(body) > MAX_BULK_BYTES:
        raise ValueError(f"a message of {len(body)} bytes, at most {MAX_BULK_BYTES} can be sent")
    name = f"bulk-{os.urandom(8).hex()}"
    path = os.path.join(scratch_dir, name)
    # O_EXCL: the other side can write here too, and must not lead us to another file.
    with open(os.open(path + ".part", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(body)
    os.rename(path + ".part", path)
    return name


# --- decoding -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Bulk:
    """Stands for a body that lies in the scratch folder, in the file of this name."""

    name: str


def decode(body: bytearray, allowed: Tuple[Type[Any], ...]) -> Tuple[Optional[int], Union[Message, Bulk]]:
    """A message and its number. Raises `ProtocolError` for anything that is none of `allowed`."""
    try:
        header, payload_at = _header(body)
        if "bulk" in header:
            return None, Bulk(of_type("str", header.pop("bulk")))
        kind = _KINDS[header.pop("kind")]
        message_id = of_type("Optional[int]", header.pop("id"))
        if kind not in allowed:
            raise ProtocolError(f"a {kind.__name__} is not expected from this side")
        if kind in _PAYLOADS:
            name, max_json_bytes = _PAYLOADS[kind]
            header[name] = decode_values(header.pop("values"), body, payload_at, max_json_bytes)
        elif kind is Failed:
            header["failure"] = failure_of_texts(header["failure"])
        else:
            for field in fields(kind):
                of_type(str(field.type), header[field.name])
        return message_id, kind(**header)
    except ProtocolError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError, struct.error, OverflowError) as error:
        raise ProtocolError(f"a frame that cannot be decoded ({type(error).__name__}: {error})"[:300]) from error


def _header(body: bytearray) -> Tuple[Dict[str, Any], int]:
    (size,) = _SIZE.unpack_from(body)
    end = _SIZE.size + size
    if end > len(body) or size > MAX_HEADER_BYTES:
        raise ProtocolError(f"a header of {size} bytes in a body of {len(body)}")
    return of_type("Dict[str, Any]", _from_json(body[_SIZE.size : end].decode())), end


def fetch(bulk: Bulk, scratch_dir: str) -> bytearray:
    """The body that lies in the scratch folder; the file is removed. Raises `ProtocolError` for any other file."""
    if not _BULK_NAME.fullmatch(bulk.name):
        raise ProtocolError(f"{bulk.name[:100]!r} is not the name of a file of ours")
    path = os.path.join(scratch_dir, bulk.name)
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_BULK_BYTES:
                raise ProtocolError(f"{bulk.name} is no plain file of at most {MAX_BULK_BYTES} bytes")
            body = bytearray(status.st_size)
            n_read = file.readinto(body)
        os.unlink(path)
    except OSError as error:
        raise ProtocolError(f"{bulk.name} cannot be read: {error.strerror}") from error
    if n_read != len(body):
        raise ProtocolError(f"{bulk.name} ended after {n_read} of {len(body)} bytes")
    return body


class FrameSplitter:
    """Cuts a byte stream into bodies. Holds at most one frame and what was fed last."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: Union[bytes, memoryview]) -> None:
        self._buffer += data

    def bodies(self) -> Iterator[bytearray]:
        """The complete bodies so far. Raises `ProtocolError` as soon as a frame announces more than is allowed."""
        while len(self._buffer) >= _SIZE.size:
            (size,) = _SIZE.unpack_from(self._buffer)
            if size > MAX_FRAME_BYTES:
                raise ProtocolError(f"a frame announces {size} bytes, {MAX_FRAME_BYTES} are allowed")
            end = _SIZE.size + size
            if len(self._buffer) < end:
                return
            body = self._buffer[_SIZE.size : end]
            del self._buffer[:end]
            yield body

    @property
    def is_empty(self) -> bool:
        """No started frame is left over."""
        return not self._buffer
