"""Users' dataset files, read by short-lived processes of their own (`rafiki.worker.checker`): no byte of them is
decoded where there are credentials or a database.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import rafiki
from rafiki.entities import Failure, FailureCode
from rafiki.executor.abilities import is_confining
from rafiki.executor.sandbox import View, confined
from rafiki.executor.scratch import remove_folder
from rafiki.executor.view import python_paths
from rafiki.settings import Settings
from rafiki.worker.checker import Order
from rafiki.worker.frames import MAX_BULK_BYTES, Predict, ProtocolError, decode

T = TypeVar("T")

PARTS = ("train", "val", "holdout")
FRACTIONS = (0.7, 0.15, 0.15)

_MAX_MEMORY_BYTES = 4 * 2**30
_MAX_TEMPORARY_BYTES = 256 * 2**20
_MAX_OUTPUT_BYTES = 32 * 2**20
_MAX_TROUBLE_BYTES = 64 * 2**10
#: What reading a dataset whole may take on top, by its size.
_BYTES_PER_S = 2**20
_SMALL_FILE_BYTES = 16 * 2**20


class CheckFailed(Exception):  # noqa: N818 (an outcome, not a fault of ours)
    """The dataset is not what its task says, or could not be read within the limits."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


@dataclass(frozen=True)
class CheckedDataset:
    stats: dict[str, Any]
    warnings: list[str]


@dataclass(frozen=True)
class PartFile:
    path: Path
    n_items: int


@dataclass(frozen=True)
class Sample:
    """Some items of a dataset in random order: queries as templates get them, and their labels."""

    queries: Sequence[Any]
    labels: list[Any]


class Checker:
    """Looks at datasets, a bounded number at a time. All raise `CheckFailed`."""

    def __init__(self, settings: Settings, max_parallel: int = 1) -> None:
        """What reads a dataset whole may take a second longer than the settings say for each MiB of it."""
        self._time_limit_s = settings.dataset_check_time_limit_s
        self._data_dir = settings.data_dir
        self._confinement = settings.confinement
        self._turns = asyncio.Semaphore(max_parallel)

    async def check_structure(self, task: str, path: Path) -> None:
        """What can be seen at once."""
        await self._ask("structure", task, path, self._time_limit_s)

    async def check_whole(self, task: str, path: Path) -> CheckedDataset:
        """Decodes every item."""
        found = _of_type(dict, await self._ask("whole", task, path, self._whole_limit_s(path)))
        return CheckedDataset(_of_type(dict, found.get("stats")), _of_type(list, found.get("warnings")))

    async def preview(self, task: str, path: Path, limit: int) -> list[Any]:
        """At most `limit` items `{"query", "label"}` as JSON; images are data URLs of PNG files."""
        return _of_type(list, await self._ask("preview", task, path, self._time_limit_s, limit=limit))

    async def split(
        self, task: str, path: Path, folder: Path, seed: int, train_args: Mapping[str, Any] | None
    ) -> dict[str, PartFile]:
        """Splits a dataset into files of `PARTS`, by `FRACTIONS`. The folder is made anew; they lie in it."""
        _make_anew(folder)
        out_paths = [folder / part for part in PARTS]
        counts = await self._ask(
            *("split", task, path, self._whole_limit_s(path)),
            writes=folder,
            out_paths=[str(out_path) for out_path in out_paths],
            fractions=FRACTIONS,
            seed=seed,
            train_args=train_args,
        )
        if len(_of_type(list, counts)) != len(PARTS):
            raise _broken(f"{len(counts)} parts")
        found = zip(PARTS, out_paths, counts, strict=True)
        return {part: PartFile(out_path, _of_type(int, count)) for part, out_path, count in found}

    async def sample(
        self,
        task: str,
        path: Path,
        others: Sequence[Path],
        train_args: Mapping[str, Any] | None,
        folder: Path,
        seed: int,
        max_items: int,
        max_bytes: int,
    ) -> Sample:
        """At most `max_items` items, whose queries take about `max_bytes` at most. The folder is made anew.

        `others` are the job's other files, the training data first.
        """
        _make_anew(folder)
        out_path = folder / "queries"
        labels = await self._ask(
            *("sample", task, path, self._whole_limit_s(path)),
            writes=folder,
            others=[str(other) for other in others],
            train_args=train_args,
            seed=seed,
            max_items=max_items,
            max_bytes=max_bytes,
            out_path=str(out_path),
        )
        queries = await asyncio.to_thread(_read_queries, out_path)
        if len(queries) != len(_of_type(list, labels)):
            raise _broken(f"{len(labels)} labels for {len(queries)} queries")
        return Sample(queries, labels)

    def _whole_limit_s(self, path: Path) -> float:
        return self._time_limit_s + path.stat().st_size / _BYTES_PER_S

    async def _ask(
        self, action: str, task: str, path: Path, limit_s: float, writes: Path | None = None, **arguments: Any
    ) -> Any:
        is_confined = await asyncio.to_thread(is_confining, self._confinement)
        order = Order(
            parent_pid=1 if is_confined else os.getpid(),
            memory_bytes=_MAX_MEMORY_BYTES,
            cpu_s=int(limit_s) + 1,
            file_bytes=0 if writes is None else _SMALL_FILE_BYTES + 4 * path.stat().st_size,
            action=action,
            task=task,
            path=str(path),
            arguments=arguments,
        )
        command = _command(order)
        if is_confined:
            reads = (path, *map(Path, arguments.get("others", ())))
            command = confined(command, self._view(reads, writes), Path("/"))
        async with self._turns:
            output = await _run(command, limit_s)
        return _result(output, path)

    def _view(self, reads: Sequence[Path], writes: Path | None) -> View:
        """What a confined checker has."""
        own = (*python_paths(Path(sys.executable)), Path(rafiki.__file__).parent)
        return View(
            readable=(*own, *reads),
            writable=() if writes is None else (writes,),
            hidden=(self._data_dir,),
            tmp_bytes=_MAX_TEMPORARY_BYTES,
        )


# The process ----------------------------------------------------------------------------------------------------------


def _command(order: Order) -> list[str]:
    """The one place that says how a checker is started."""
    return [sys.executable, "-m", "rafiki.worker.checker", json.dumps(asdict(order))]


def _variables() -> dict[str, str]:
    """No secrets, and the same `rafiki` as ours."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(Path(rafiki.__file__).parents[1]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }


class _Output(asyncio.SubprocessProtocol):
    """Takes what a process prints, to its end: of more than is allowed, the first."""

    def __init__(self) -> None:
        self.ended = asyncio.get_running_loop().create_future()
        self.printed = bytearray()
        self.trouble = bytearray()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        kept, max_bytes = (self.printed, _MAX_OUTPUT_BYTES) if fd == 1 else (self.trouble, _MAX_TROUBLE_BYTES)
        kept += data[: max_bytes - len(kept)]

    def connection_lost(self, exc: Exception | None) -> None:
        """The process has ended, and all that it printed was read."""
        if not self.ended.done():
            self.ended.set_result(None)


async def _run(command: Sequence[str], limit_s: float) -> bytes:
    """What the checker printed."""
    transport, output = await asyncio.get_running_loop().subprocess_exec(
        _Output, *command, stdin=asyncio.subprocess.DEVNULL, cwd="/", env=_variables(), start_new_session=True
    )
    try:
        async with asyncio.timeout(limit_s):
            await asyncio.shield(output.ended)
    except TimeoutError:
        message = f"reading the dataset took longer than {limit_s:g} s"
        hint = "Make it smaller, or ask for a higher limit (setting dataset_check_time_limit_s)."
        raise CheckFailed(Failure(FailureCode.TIME_LIMIT, message, hint)) from None
    finally:
        if not output.ended.done():
            with suppress(ProcessLookupError):
                os.killpg(transport.get_pid(), signal.SIGKILL)
            transport.close()  # whoever else may still hold its pipes
            await output.ended
    code = transport.get_returncode()
    if code != 0:
        raise CheckFailed(_exit_failure(-signal.SIGKILL if code is None else code, bytes(output.trouble)))
    return bytes(output.printed)


def _exit_failure(code: int, trouble: bytes) -> Failure:
    hint = "It may need more memory or time than it has."
    signal_no = -code if code < 0 else code - 128  # as a sandbox tells it
    if signal_no > 0:
        message = f"the dataset could not be read: its checker was killed by signal {signal_no}"
        return Failure(FailureCode.KILLED, message, hint)
    last_line = (trouble.decode("utf-8", "replace").strip().splitlines() or ["no output"])[-1]
    message = f"the dataset could not be read: its checker ended with status {code} ({last_line:.300})"
    return Failure(FailureCode.EXITED, message, hint)


# What came of it ------------------------------------------------------------------------------------------------------


def _result(output: bytes, path: Path) -> Any:
    try:
        answer = _of_type(dict, json.loads(output))
        if "refusal" not in answer:
            return answer["result"]
        refusal = _of_type(dict, answer["refusal"])
        # The file's name is one of our own making.
        message = str(refusal["message"]).replace(str(path), "the dataset").replace(path.name, "the dataset")
        failure = Failure(FailureCode.INVALID_DATASET, message, str(refusal["hint"]))
    except (ValueError, KeyError, RecursionError) as error:
        raise _broken(f"{type(error).__name__}: {error}") from error
    raise CheckFailed(failure)


def _read_queries(path: Path) -> Sequence[Any]:
    try:
        # Where a checker can write there may be anything: a link, a pipe, more than we have room for.
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_BULK_BYTES:
                raise _broken("no plain file of queries")
            _, message = decode(bytearray(file.read(status.st_size)), (Predict,))
    except (OSError, ProtocolError) as error:
        raise _broken(str(error)) from error
    assert isinstance(message, Predict)
    return message.queries


def _of_type(kind: type[T], value: Any) -> T:
    if not isinstance(value, kind):
        raise _broken(f"a {type(value).__name__} in place of a {kind.__name__}")
    return value


def _broken(what: str) -> CheckFailed:
    message = f"the dataset could not be read: its checker answered what it never should ({what:.200})"
    return CheckFailed(Failure(FailureCode.PROTOCOL, message))


def _make_anew(folder: Path) -> None:
    remove_folder(folder)
    folder.mkdir(parents=True)
