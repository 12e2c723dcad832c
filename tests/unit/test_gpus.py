"""GPUs: what a driver tells, what the setting `gpus` may be, and what comes of both."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rafiki import gpus
from rafiki.errors import InvalidSettingsError
from rafiki.gpus import Gpu, Inventory, choose, look, parse_choice
from rafiki.server import gpus as server_gpus
from rafiki.settings import Settings

UUIDS = ("GPU-aa11", "GPU-aa22", "GPU-bb33")
THREE = Inventory(tuple(Gpu(i, uuid, "H200", 141 * 2**30) for i, uuid in enumerate(UUIDS)), "570.86.15")


class FakeNvml(SimpleNamespace):
    """The driver's library, of two GPUs. What is named in `broken` fails."""

    NVML_ERROR_LIBRARY_NOT_FOUND = 12

    class NVMLError(Exception):
        def __init__(self, value: int, text: str) -> None:
            super().__init__(text)
            self.value = value

    def __init__(self, *broken: str, value: int = 999) -> None:
        super().__init__(broken=broken, value=value, n_open=0, n_shut_down=0)

    def __getattr__(self, name: str) -> Any:
        answers = {
            "nvmlInit": lambda: None,
            "nvmlSystemGetDriverVersion": lambda: "570.86.15",
            "nvmlDeviceGetCount": lambda: 2,
            "nvmlDeviceGetHandleByIndex": lambda index: index,
            "nvmlDeviceGetUUID": lambda handle: f"GPU-{handle}",
            "nvmlDeviceGetName": lambda handle: b"NVIDIA H200",  # as older ones of its releases answer
            "nvmlDeviceGetMemoryInfo": lambda handle: SimpleNamespace(total=141 * 2**30),
            "nvmlShutdown": lambda: None,
        }
        if name not in answers:
            raise AttributeError(name)

        def call(*arguments: int) -> Any:
            if name in self.broken or any(f"{name} {argument}" in self.broken for argument in arguments):
                raise self.NVMLError(self.value, f"{name} failed")
            self.n_open += {"nvmlInit": 1, "nvmlShutdown": -1}.get(name, 0)
            return answers[name](*arguments)

        return call


@pytest.fixture(autouse=True)
def no_driver(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where the kernel's driver would show itself."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.delenv("RAFIKI_GPUS", raising=False)
    monkeypatch.setattr(gpus, "_KERNEL_DRIVER", tmp_path / "version")
    return tmp_path / "version"


def use(monkeypatch: pytest.MonkeyPatch, nvml: FakeNvml | None) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", nvml)  # None: not installed


# What there is ----------------------------------------------------------------------------------------------------


def test_a_driver_tells_of_its_gpus_and_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    nvml = FakeNvml()
    use(monkeypatch, nvml)
    there = (Gpu(0, "GPU-0", "NVIDIA H200", 141 * 2**30), Gpu(1, "GPU-1", "NVIDIA H200", 141 * 2**30))
    assert look() == Inventory(there, "570.86.15")
    assert str(there[1]) == "1 (NVIDIA H200, 141 GiB)"
    assert nvml.n_open == 0


def test_without_a_driver_there_are_none(monkeypatch: pytest.MonkeyPatch, no_driver: Path) -> None:
    for nvml in (None, FakeNvml("nvmlInit", value=FakeNvml.NVML_ERROR_LIBRARY_NOT_FOUND)):
        use(monkeypatch, nvml)
        assert look() == Inventory()
    no_driver.touch()  # the kernel has one
    use(monkeypatch, None)
    assert "nvidia-ml-py is not installed" in look().problem
    use(monkeypatch, FakeNvml("nvmlInit", value=FakeNvml.NVML_ERROR_LIBRARY_NOT_FOUND))
    assert "libnvidia-ml.so.1 is not found" in look().problem


@pytest.mark.parametrize("broken", ["nvmlInit", "nvmlSystemGetDriverVersion", "nvmlDeviceGetCount"])
def test_a_broken_driver_is_a_problem_with_its_reason(monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    nvml = FakeNvml(broken)
    use(monkeypatch, nvml)
    inventory = look()
    assert (inventory.gpus, inventory.is_known) == ((), False)
    assert f"{broken} failed" in inventory.problem
    assert nvml.n_open == 0


def test_a_broken_gpu_does_not_take_the_others_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, FakeNvml("nvmlDeviceGetHandleByIndex 0", "nvmlDeviceGetMemoryInfo", "nvmlShutdown"))
    inventory = look()
    assert inventory.gpus == (Gpu(1, "GPU-1", "NVIDIA H200"),)
    assert inventory.is_known
    assert "GPU 0 does not answer: nvmlDeviceGetHandleByIndex failed" in inventory.problem


def test_this_machine_can_be_looked_at() -> None:
    code = "from rafiki.gpus import look; look(); print('looked')"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "looked\n"


# The setting ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("all", "all"), (0, 0), (3, 3), ("3", 3), (" 2 ", 2), ("0,2", (0, 2)), ("2,", (2,)), ([2], (2,)), ([], ()),
        (("1", 0), (1, 0)), ("GPU-aa11", ("GPU-aa11",)), ("GPU-aa11, 2", ("GPU-aa11", 2)),
    ],
)  # fmt: skip
def test_how_it_may_be_written(written: object, meant: object, tmp_path: Path) -> None:
    assert parse_choice(written) == meant
    settings = Settings(data_dir=tmp_path, gpus=written)  # type: ignore[arg-type]
    assert Settings.from_runner_json(settings.for_runner()).gpus == settings.gpus == meant


@pytest.mark.parametrize("written", ["", ",", "two", -1, "-1", 1.0, True, None, "0,,1", "0;1", [1.5], [True], "MIG-x"])
def test_what_it_cannot_be(written: object) -> None:
    with pytest.raises(ValueError, match="expected `all`"):
        parse_choice(written)


def test_a_gpu_is_named_once() -> None:
    with pytest.raises(ValueError, match="twice"):
        parse_choice("1,01")


def test_it_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert Settings(data_dir=tmp_path).gpus == "all"
    monkeypatch.setenv("RAFIKI_GPUS", "0,2")
    assert Settings(data_dir=tmp_path).gpus == (0, 2)
    monkeypatch.setenv("RAFIKI_GPUS", "1")
    assert Settings(data_dir=tmp_path).gpu_indices == (0,)


@pytest.mark.parametrize("written", ["two", "-1"])
def test_what_cannot_be_is_refused_at_start(written: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAFIKI_GPUS", written)
    command = [sys.executable, "-m", "rafiki.cli.main", "serve", "--data-dir", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1
    assert f"InvalidSettingsError: gpus is '{written}'" in done.stderr and "0,2" in done.stderr


# What comes of both -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "visible", "indices"),
    [
        ("all", None, (0, 1, 2)), (2, None, (0, 1)), (0, None, ()), ("2,0", None, (2, 0)), ("GPU-b", None, (2,)),
        ("GPU-aa22,0", None, (1, 0)), ("all", "2,0", (2, 0)), (1, "2,0", (2,)), ("0,", "2,0", (0,)),
        ("all", "GPU-aa2,GPU-bb", (1, 2)), ("all", "", ()), ("all", "-1", ()), ("all", " 1 , 1 ", (1,)),
        ("all", "0,7,1", (0,)), ("all", "GPU-aa,1", ()), ("all", "MIG-x", ()),
    ],
)  # fmt: skip
def test_of_three_gpus(written: object, visible: str | None, indices: tuple[int, ...]) -> None:
    assert choose(parse_choice(written), THREE, visible) == indices


@pytest.mark.parametrize(
    ("written", "visible", "sentence"),
    [
        (4, None, "gpus is 4, and this machine has 3 GPUs: 0 (H200, 141 GiB), 1 "),
        ("0,3", None, "gpus names GPU 3, and this machine has 3 GPUs"),
        ("GPU-cc", None, "gpus names GPU GPU-cc"),
        ("GPU-aa", None, "gpus names GPU GPU-aa"),  # two begin like that
        (2, "1", "gpus is 2, .*CUDA_VISIBLE_DEVICES=1 leaves 1 of them to the server"),
        ("0,1", "1", "gpus names GPU 0, .*leaves 1 of them"),
        ("0,", "-1", "CUDA_VISIBLE_DEVICES=-1 leaves none of them"),
        ("0,GPU-aa11", None, "gpus names GPU 0 twice, by 0 and by GPU-aa11"),
    ],
)
def test_what_is_not_there_is_refused(written: object, visible: str | None, sentence: str) -> None:
    with pytest.raises(InvalidSettingsError, match=sentence.replace("(", r"\(").replace(")", r"\)")):
        choose(parse_choice(written), THREE, visible)


@pytest.mark.parametrize("problem", ["", "the driver does not work"])
def test_where_no_driver_tells_it_is_taken_as_given(problem: str) -> None:
    nothing = Inventory(problem=problem)
    assert choose("all", nothing, "0") == ()
    assert choose(2, nothing, None) == (0, 1)
    assert choose((1, 5), nothing, None) == (1, 5)
    with pytest.raises(InvalidSettingsError, match="GPU-aa11, and no driver tells"):
        choose(("GPU-aa11",), nothing, None)


def test_a_driver_without_gpus_has_none() -> None:
    assert choose("all", Inventory(driver_version="570"), None) == ()
    with pytest.raises(InvalidSettingsError, match="gpus is 1, and this machine has no GPU"):
        choose(1, Inventory(driver_version="570"), None)


def test_a_server_tells_what_it_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(server_gpus, "look", lambda: THREE)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,2")
    settings = server_gpus.with_gpus_here(Settings(data_dir=tmp_path))
    assert settings.gpus == settings.gpu_indices == (0, 2)
    assert Settings.from_runner_json(settings.for_runner()).gpu_indices == (0, 2)
    assert "570.86.15: 0 (H200, 141 GiB) used, 1 (H200, 141 GiB) left alone, 2" in caplog.text
    with pytest.raises(InvalidSettingsError, match="gpus names GPU 1"):
        server_gpus.with_gpus_here(Settings(data_dir=tmp_path, gpus="1,"))  # type: ignore[arg-type]


def test_a_server_warns_of_a_broken_driver_and_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(server_gpus, "look", lambda: Inventory(problem="the NVIDIA driver does not work: mismatch"))
    assert server_gpus.with_gpus_here(Settings(data_dir=tmp_path)).gpu_indices == ()
    assert "the NVIDIA driver does not work: mismatch" in caplog.text
    assert server_gpus.with_gpus_here(Settings(data_dir=tmp_path, gpus=2)).gpu_indices == (0, 1)
    assert "0, 1 are taken as given" in caplog.text
