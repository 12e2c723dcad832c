"""The check of an uploaded dataset: its bytes are untrusted, so a short-lived process of its own decodes them.

The process is `python -m rafiki.server.dataset_check TASK PATH`. It prints one JSON object: `{}` for a dataset that is
in its task's format, else `{"message", "hint"}`.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
from pathlib import Path

import rafiki
from rafiki.errors import InvalidDatasetError, RafikiError
from rafiki.tasks import CustomTask, get_task

_MAX_MEMORY_BYTES = 4 * 2**30
_MAX_OPEN_FILES = 64
_MAX_PARALLEL = 2


class DatasetChecks:
    """Checks datasets, a bounded number at a time."""

    def __init__(self, time_limit_s: float) -> None:
        self._time_limit_s = time_limit_s
        self._turns = asyncio.Semaphore(_MAX_PARALLEL)

    async def check(self, task: str, path: Path) -> None:
        """Raises `InvalidDatasetError` where the file is not in the task's format; a custom task has none."""
        if isinstance(get_task(task), CustomTask):
            return
        async with self._turns:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", __name__, task, str(path), str(int(self._time_limit_s) + 1)),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                cwd="/",
                env=_environment(),
                start_new_session=True,
            )
            try:
                async with asyncio.timeout(self._time_limit_s):
                    output, trouble = await process.communicate()
            except TimeoutError as error:
                raise InvalidDatasetError(f"checking the dataset took longer than {self._time_limit_s:g} s") from error
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
        _raise_if_refused(process.returncode, output, trouble, path)


def _environment() -> dict[str, str]:
    """No secrets, and the same `rafiki` as ours."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(Path(rafiki.__file__).parents[1]),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }


def _raise_if_refused(exit_code: int | None, output: bytes, trouble: bytes, path: Path) -> None:
    if exit_code != 0:
        last_line = (trouble.decode("utf-8", "replace").strip().splitlines() or ["no output"])[-1]
        message = f"the dataset could not be checked: the check ended with status {exit_code} ({last_line})"
        raise InvalidDatasetError(message, "It may need more memory or time than a check has.")
    refusal = json.loads(output)
    if refusal:
        # The file's name is one of our own making.
        raise InvalidDatasetError(refusal["message"].replace(path.name, "the dataset"), refusal["hint"])


def _limit_resources(cpu_s: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MAX_MEMORY_BYTES, _MAX_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_MAX_OPEN_FILES, _MAX_OPEN_FILES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _main(task: str, path: str, cpu_s: str) -> None:
    _limit_resources(int(cpu_s))
    refusal = {}
    try:
        get_task(task).check_dataset(path)
    except RafikiError as error:
        refusal = {"message": error.message, "hint": error.hint}
    print(json.dumps(refusal))


if __name__ == "__main__":
    _main(*sys.argv[1:])
