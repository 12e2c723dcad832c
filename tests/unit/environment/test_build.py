"""Environments as uv builds them: which there are, what is in them, and what happens to half-built ones."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from rafiki.environment import EnvironmentBuilder, EnvironmentFolder, find_environment
from rafiki.errors import EnvironmentBuildError
from rafiki.settings import Settings
from tests.package_index import PackageIndex, write_wheel
from tests.unit.environment.conftest import Build, Told


def run(python: Path, code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([python, "-c", code], capture_output=True, text=True, env={}, cwd="/", check=False)


def packages(folder: EnvironmentFolder, address: str) -> dict[str, str]:
    return folder.lock(address).packages


async def test_it_has_what_is_declared_and_what_every_model_has(
    builder: EnvironmentBuilder, build: Build, index: PackageIndex, make_settings: Callable[..., Settings]
) -> None:
    index.add("alpha", "1.0", requires=["beta"])
    index.add("beta", "3.0")
    told = Told()
    built = await build({"alpha": "1.0"}, told)
    assert packages(builder.folder, built.address) == {
        "alpha": "1.0", "beta": "3.0", "numpy": "1.0", "pillow": "1.0", "requests": "1.0",
    }  # fmt: skip
    assert told.texts == ["resolving", "installing 5 packages"]
    environment = find_environment(make_settings(), built.address)
    assert run(environment.python, "import alpha, beta; print(alpha.__version__)").stdout == "1.0\n"
    # Nothing of the server's own packages is seen.
    assert "ModuleNotFoundError" in run(environment.python, "import fastapi").stderr
    assert "ModuleNotFoundError" in run(environment.python, "import rafiki").stderr


async def test_the_same_is_built_once_and_shared(
    builder: EnvironmentBuilder, build: Build, index: PackageIndex
) -> None:
    index.add("alpha", "1.0")
    index.add("alpha", "2.0")
    told = Told()
    first, again, both = await asyncio.gather(build({"alpha": "1.0"}, told), build({"alpha": "1.0"}, told), build({}))
    assert first == again
    assert told.texts.count("resolving") == 1  # one waits for the other
    other = await build({"alpha": "2.0"})
    assert len({first.address, other.address, both.address}) == 3
    assert {info.address for info in builder.folder.list()} == {first.address, other.address, both.address}


async def test_what_leads_to_the_same_packages_is_the_same(build: Build, index: PackageIndex) -> None:
    index.add("alpha", "1.0", requires=["beta==1.0"])
    index.add("beta", "1.0")
    one, other = await build({"alpha": "1.0"}), await build({"alpha": "1.0", "beta": "1.0"})
    assert one.address == other.address


async def test_a_declared_package_takes_the_place_of_what_every_model_has(
    builder: EnvironmentBuilder, build: Build, index: PackageIndex
) -> None:
    index.add("numpy", "0.9")
    built = await build({"NumPy": "0.9"})
    assert packages(builder.folder, built.address)["numpy"] == "0.9"


async def test_a_removed_one_is_built_again_from_its_lock(
    builder: EnvironmentBuilder, build: Build, index: PackageIndex, make_settings: Callable[..., Settings]
) -> None:
    index.add("alpha", "1.0")
    built = await build({"alpha": "1.0"})
    assert builder.folder.remove(built.address)
    with pytest.raises(EnvironmentBuildError, match="is not there"):
        find_environment(make_settings(), built.address)
    index.add("alpha", "1.0.1")  # what is there since makes no difference
    await builder.restore(built.address, built.lock)
    assert packages(builder.folder, built.address)["alpha"] == "1.0"
    assert run(builder.folder.python(built.address), "import alpha").returncode == 0


async def test_what_was_locked_is_what_is_installed(
    builder: EnvironmentBuilder,
    build: Build,
    index: PackageIndex,
    make_settings: Callable[..., Settings],
    tmp_path: Path,
) -> None:
    index.add("alpha", "1.0")
    built = await build({"alpha": "1.0"})
    builder.folder.remove(built.address)
    forged = index.add("alpha", "1.0", requires=["numpy"])  # another file of the same name
    assert forged.exists()
    elsewhere = EnvironmentBuilder(make_settings(package_cache_dir=tmp_path / "new cache"))
    with pytest.raises(EnvironmentBuildError):
        await elsewhere.restore(built.address, built.lock)
    with pytest.raises(EnvironmentBuildError, match="alpha"):  # and who misses it is told why
        find_environment(make_settings(), built.address)


async def test_the_hashes_of_local_wheels_are_locked_too(
    make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    (tmp_path / "wheels").mkdir()
    write_wheel(tmp_path / "wheels" / "My_Alpha-1.0+cpu-py3-none-any.whl", "my_alpha", "1.0+cpu")
    builder = EnvironmentBuilder(make_settings(package_find_links=str(tmp_path / "wheels")))
    built = await builder.build({"my-alpha": "1.0"}, Told())
    lines = built.lock.splitlines()
    (at,) = [i for i, line in enumerate(lines) if line.startswith("my-alpha==1.0+cpu")]
    assert "--hash=sha256:" in lines[at + 1]
    builder.folder.remove(built.address)
    await builder.restore(built.address, built.lock)
    assert builder.folder.is_built(built.address)


async def test_the_index_has_the_last_word_whatever_the_cache_knows_and_has(
    index: PackageIndex, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    async def build(place: str) -> tuple[str, str]:
        """What is locked of numpy, and what is installed."""
        builder = EnvironmentBuilder(make_settings(data_dir=tmp_path / place, package_index_url=url))
        builder._uv.variables["UV_HTTP_RETRIES"] = "0"
        built = await builder.build({}, Told())
        await builder.close()
        found = run(builder.folder.python(built.address), "import numpy; print(numpy.__version__)")
        return packages(builder.folder, built.address)["numpy"], found.stdout.strip()

    with index.served() as url:
        assert await build("first") == ("1.0", "1.0")
        index.add("numpy", "1.1")
        assert await build("newer") == ("1.1", "1.1")
        for package in (tmp_path / "cache").glob("archive-v*/*"):
            shutil.rmtree(package)
        assert await build("emptied") == ("1.1", "1.1")
    assert await build("unreachable") == ("1.1", "1.1")


async def test_a_cancelled_build_is_killed_and_leaves_nothing(
    make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hanging = tmp_path / "uv"
    hanging.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nsleep 1000\n")
    hanging.chmod(0o755)
    builder = EnvironmentBuilder(make_settings())
    monkeypatch.setattr("uv.find_uv_bin", lambda: str(hanging))
    building = asyncio.create_task(builder.build({}, Told()))
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text().strip():
        await asyncio.sleep(0.01)
    pid = int((tmp_path / "pid").read_text())
    building.cancel()
    with pytest.raises(asyncio.CancelledError):
        await building
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert [path for path in builder.folder.path.iterdir() if path.name.startswith(".building")] == []
    monkeypatch.undo()


async def test_the_time_limit_is_an_error_that_names_it(
    make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hanging = tmp_path / "uv"
    hanging.write_text("#!/bin/sh\nsleep 1000\n")
    hanging.chmod(0o755)
    monkeypatch.setattr("uv.find_uv_bin", lambda: str(hanging))
    builder = EnvironmentBuilder(make_settings(environment_time_limit_s=0.2))
    with pytest.raises(EnvironmentBuildError, match=r"took longer than 0\.2 s"):
        await builder.build({}, Told())


BUILD_IN_ANOTHER_PROCESS = """
import asyncio, sys
from rafiki.environment import EnvironmentBuilder
from rafiki.settings import Settings

async def tell(text):
    print(text, flush=True)

settings = Settings(data_dir=sys.argv[1], package_index_url=sys.argv[2], package_cache_dir=sys.argv[3], gpus=0)
print(asyncio.run(EnvironmentBuilder(settings).build({"alpha": "1.0"}, tell)).address)
"""


def start_builder(settings: Settings, index: PackageIndex) -> subprocess.Popen[str]:
    arguments = [str(settings.data_dir), index.url, str(settings.package_cache_dir)]
    command = [sys.executable, "-c", BUILD_IN_ANOTHER_PROCESS, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_two_processes_build_the_same_once(index: PackageIndex, make_settings: Callable[..., Settings]) -> None:
    index.add("alpha", "1.0")
    settings = make_settings()
    builders = [start_builder(settings, index) for _ in range(2)]
    outputs = [builder.communicate(timeout=60)[0].split("\n") for builder in builders]
    assert sum("resolving" in output for output in outputs) == 1
    assert outputs[0][-2] == outputs[1][-2]


async def test_a_builder_killed_at_its_work_leaves_nothing_that_is_used(
    index: PackageIndex, make_settings: Callable[..., Settings], build: Build, builder: EnvironmentBuilder
) -> None:
    index.add("alpha", "1.0")
    other = start_builder(make_settings(), index)
    assert other.stdout is not None
    assert other.stdout.readline() == "resolving\n"
    with builder.folder.staging("any") as ours:  # one that lives is left alone
        other.kill()
        other.communicate()
        builder.folder.sweep()
        assert list(builder.folder.path.glob(".building-*")) == [ours]
    assert builder.folder.list() == []
    built = await build({"alpha": "1.0"})
    assert [info.address for info in builder.folder.list()] == [built.address]


def compiled(folder: EnvironmentFolder, address: str) -> list[Path]:
    return sorted(folder.prefix(address).glob("lib/python*/site-packages/__pycache__/*.pyc"))


async def test_modules_are_compiled_once_and_shared(
    build: Build,
    builder: EnvironmentBuilder,
    index: PackageIndex,
    make_settings: Callable[..., Settings],
    tmp_path: Path,
) -> None:
    index.add("alpha", "1.0")
    built = await build({"alpha": "1.0"})
    await builder.finished()
    paths = compiled(builder.folder, built.address)
    assert [path.name.partition(".")[0] for path in paths] == ["alpha", "numpy", "pillow", "requests"]
    other = EnvironmentBuilder(make_settings(data_dir=tmp_path / "other"))
    again = await other.build({"alpha": "1.0"}, Told())
    await other.finished()
    linked = compiled(other.folder, again.address)
    assert [path.stat().st_ino for path in linked] == [path.stat().st_ino for path in paths]
    python = other.folder.python(again.address)
    assert run(python, "import alpha; print(alpha.__cached__); print(alpha.__version__)").stdout.split() == [
        str(linked[0]), "1.0",
    ]  # fmt: skip
    assert str(other.folder.prefix(again.address)) in run(python, "import alpha; print(alpha.__file__)").stdout
    await other.close()


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="needs /dev/shm")
async def test_modules_are_compiled_where_the_cache_is_on_another_file_system(
    index: PackageIndex, make_settings: Callable[..., Settings]
) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as cache_dir:
        builder = EnvironmentBuilder(make_settings(package_cache_dir=Path(cache_dir)))
        built = await builder.build({}, Told())
        await builder.finished()
        assert len(compiled(builder.folder, built.address)) == 3


async def test_modules_of_another_content_are_others_whatever_their_package_says(
    build: Build,
    builder: EnvironmentBuilder,
    index: PackageIndex,
    make_settings: Callable[..., Settings],
    tmp_path: Path,
) -> None:
    index.add("alpha", "1.0")
    await build({"alpha": "1.0"})
    await builder.finished()
    wheel = index.add("alpha", "1.0")
    write_wheel(wheel, "alpha", "1.0", code="__version__ = 'forged'\n")
    elsewhere = make_settings(data_dir=tmp_path / "other", package_cache_dir=tmp_path / "cache")
    fresh = EnvironmentBuilder(elsewhere)
    fresh._uv.variables["UV_CACHE_DIR"] = str(tmp_path / "new cache")  # the installer knows nothing of it yet
    index.list("alpha")
    built = await fresh.build({"alpha": "1.0"}, Told())
    assert run(fresh.folder.python(built.address), "import alpha; print(alpha.__version__)").stdout == "forged\n"
    await fresh.close()


async def test_what_only_gpus_need_is_left_out_where_there_is_none(
    build: Build,
    builder: EnvironmentBuilder,
    index: PackageIndex,
    make_settings: Callable[..., Settings],
    tmp_path: Path,
) -> None:
    index.add("alpha", "1.0", requires=["nvidia-nccl-cu12", "beta"])
    index.add("nvidia_nccl_cu12", "1.0")
    index.add("beta", "1.0")
    on_cpu = packages(builder.folder, (await build({"alpha": "1.0"})).address)
    assert "beta" in on_cpu and "nvidia-nccl-cu12" not in on_cpu
    gpu_builder = EnvironmentBuilder(make_settings(gpus=1))
    on_gpu = packages(gpu_builder.folder, (await gpu_builder.build({"alpha": "1.0"}, Told())).address)
    assert "nvidia-nccl-cu12" in on_gpu
    await gpu_builder.close()
