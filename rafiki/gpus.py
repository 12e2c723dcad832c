"""The GPUs of this machine: what the NVIDIA driver tells of them, and which of them a server uses.

A GPU's index is the one that `nvidia-smi` shows. Importable where there is neither a driver nor `nvidia-ml-py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rafiki.errors import InvalidSettingsError

#: Which GPUs a server is to use: all of them, so many, or these (by index or UUID).
Choice = Literal["all"] | int | tuple[int | str, ...]

_UUID_START = "GPU-"
_KERNEL_DRIVER = Path("/proc/driver/nvidia/version")
_EXPECTED = "expected `all`, how many (0 for none), or which ones: 0,2 (one alone: 2,), also by UUID"


@dataclass(frozen=True)
class Gpu:
    index: int
    uuid: str
    name: str
    memory_bytes: int | None = None  # None: it shares the machine's

    def __str__(self) -> str:
        memory = "" if self.memory_bytes is None else f", {self.memory_bytes / 2**30:.0f} GiB"
        return f"{self.index} ({self.name}{memory})"


@dataclass(frozen=True)
class Inventory:
    """What was found. `driver_version` is None where no driver has answered; `problem` is what does not work."""

    gpus: tuple[Gpu, ...] = ()
    driver_version: str | None = None
    problem: str = ""

    @property
    def is_known(self) -> bool:
        """Whether a GPU that is not listed is not there."""
        return self.driver_version is not None


# What there is --------------------------------------------------------------------------------------------------------


def look() -> Inventory:
    """Ask the driver, which is let go again at once. Blocks, for up to seconds where it has been asleep."""
    try:
        import pynvml
    except ModuleNotFoundError:
        return _unreached("the package nvidia-ml-py is not installed")
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        if error.value == pynvml.NVML_ERROR_LIBRARY_NOT_FOUND:
            return _unreached("its library libnvidia-ml.so.1 is not found (a container must be given the GPUs)")
        return Inventory(problem=f"the NVIDIA driver does not work: {error}")
    try:
        return _ask(pynvml)
    except pynvml.NVMLError as error:
        return Inventory(problem=f"the NVIDIA driver does not answer: {error}")
    finally:
        with suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()


def _unreached(reason: str) -> Inventory:
    """No way to the driver: a problem only where there is one."""
    if _KERNEL_DRIVER.exists():
        return Inventory(problem=f"the NVIDIA driver is loaded, but {reason}")
    return Inventory()


def _ask(nvml: Any) -> Inventory:
    """One GPU that does not answer does not take the others with it."""
    version = _text(nvml.nvmlSystemGetDriverVersion())
    found, problems = [], []
    for index in range(nvml.nvmlDeviceGetCount()):
        try:
            handle = nvml.nvmlDeviceGetHandleByIndex(index)
            uuid, name = _text(nvml.nvmlDeviceGetUUID(handle)), _text(nvml.nvmlDeviceGetName(handle))
        except nvml.NVMLError as error:
            problems.append(f"GPU {index} does not answer: {error}")
            continue
        memory_bytes = None
        with suppress(nvml.NVMLError):
            memory_bytes = int(nvml.nvmlDeviceGetMemoryInfo(handle).total)
        found.append(Gpu(index, uuid, name, memory_bytes))
    return Inventory(tuple(found), version, "; ".join(problems))


def _text(value: str | bytes) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value


# What is used of it ---------------------------------------------------------------------------------------------------


def parse_choice(value: object) -> Choice:
    """The setting `gpus` as it may be written. Raises `ValueError`, which says what right looks like."""
    if value == "all":
        return "all"
    if type(value) is int and value >= 0:
        return value
    if isinstance(value, str):
        text = value.strip()
        if text.isdecimal():
            return int(text)
        value = [part.strip() for part in text.removesuffix(",").split(",")]
    if not isinstance(value, list | tuple):
        raise ValueError(_EXPECTED)  # noqa: TRY004 (what pydantic takes for an invalid value)
    named = tuple(map(_parse_name, value))
    if len(set(named)) < len(named):
        raise ValueError("it names a GPU twice")
    return named


def _parse_name(value: object) -> int | str:
    if type(value) is int and value >= 0:
        return value
    if isinstance(value, str) and value.isdecimal():
        return int(value)
    if isinstance(value, str) and value.startswith(_UUID_START):
        return value
    raise ValueError(_EXPECTED)


def taken_as_given(choice: Choice) -> tuple[int, ...]:
    """The indices that a choice comes to where nobody knows what is there; `all` of that is none."""
    if choice == "all":
        return ()
    if isinstance(choice, int):
        return tuple(range(choice))
    return tuple(one for one in choice if isinstance(one, int))


def choose(choice: Choice, inventory: Inventory, visible: str | None) -> tuple[int, ...]:
    """The indices of the GPUs that a choice comes to on this machine, of those that `visible` leaves (the text of
    `CUDA_VISIBLE_DEVICES`; None leaves all).

    Raises `InvalidSettingsError` where it asks for more than there is. Where no driver tells, it is taken as given.
    """
    if not inventory.is_known:
        if isinstance(choice, tuple) and (unknown := [one for one in choice if isinstance(one, str)]):
            message = f"gpus names {unknown[0]}, and no driver tells which GPU that is"
            raise InvalidSettingsError(message, "rafiki doctor says what is wrong with it; or name GPUs by index")
        return taken_as_given(choice)
    usable = _visible(inventory.gpus, visible)
    if choice == "all":
        return tuple(gpu.index for gpu in usable)
    if isinstance(choice, int):
        if choice > len(usable):
            raise _refusal(f"gpus is {choice}", inventory.gpus, usable, visible)
        return tuple(gpu.index for gpu in usable[:choice])
    return tuple(_named(choice, inventory.gpus, usable, visible))


def _named(
    choice: tuple[int | str, ...], gpus: Sequence[Gpu], usable: Sequence[Gpu], visible: str | None
) -> Iterable[int]:
    chosen: dict[int, int | str] = {}
    for one in choice:
        gpu = _find(one, gpus)
        if gpu is None or gpu not in usable:
            raise _refusal(f"gpus names GPU {one}", gpus, usable, visible)
        if gpu.index in chosen:
            raise InvalidSettingsError(f"gpus names GPU {gpu.index} twice, by {chosen[gpu.index]} and by {one}")
        chosen[gpu.index] = one
    return chosen


def _visible(gpus: Sequence[Gpu], visible: str | None) -> list[Gpu]:
    """As CUDA reads it: what follows an entry that names none does not count."""
    if visible is None:
        return list(gpus)
    left: dict[int, Gpu] = {}
    for entry in visible.split(","):
        name = entry.strip()
        gpu = _find(int(name) if name.isdecimal() else name, gpus)
        if gpu is None:
            break
        left[gpu.index] = gpu
    return list(left.values())


def _find(name: int | str, gpus: Iterable[Gpu]) -> Gpu | None:
    """By index, or by the beginning of a UUID that only one has."""
    if isinstance(name, int):
        return next((gpu for gpu in gpus if gpu.index == name), None)
    found = [gpu for gpu in gpus if name.startswith(_UUID_START) and gpu.uuid.startswith(name)]
    return found[0] if len(found) == 1 else None


def _refusal(asked: str, gpus: Sequence[Gpu], usable: Sequence[Gpu], visible: str | None) -> InvalidSettingsError:
    there = f"{_count(len(gpus))}: {', '.join(map(str, gpus))}" if gpus else "no GPU"
    message = f"{asked}, and this machine has {there}"
    if len(usable) < len(gpus):
        left = ", ".join(str(gpu.index) for gpu in usable) or "none"
        message += f"; CUDA_VISIBLE_DEVICES={visible} leaves {left} of them to the server"
    return InvalidSettingsError(message, _EXPECTED)


def _count(n: int) -> str:
    return "1 GPU" if n == 1 else f"{n} GPUs"
