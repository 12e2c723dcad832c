"""What a model's dependencies resolve to, and the folder that its workers import us from."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path

import pytest

from rafiki.environment import resolve_environment, worker_part
from rafiki.errors import EnvironmentBuildError
from rafiki.settings import Settings


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(data_dir=tmp_path_factory.mktemp("data"))


NUMPY = metadata.version("numpy")
MAJOR = NUMPY.partition(".")[0]
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.mark.parametrize(
    "dependencies",
    [None, {}, {"numpy": NUMPY}, {"NumPy": MAJOR}, {"numpy": ""}, {"python": PYTHON}, {"scikit_learn": ""}],
)
def test_what_is_there_resolves_without_a_warning(settings: Settings, dependencies: dict[str, str] | None) -> None:
    environment, warnings = resolve_environment(settings, dependencies)
    assert warnings == []
    assert environment.python == Path(sys.executable)
    assert environment.worker_part.is_relative_to(settings.data_dir)


def test_another_version_of_the_same_major_is_a_warning(settings: Settings) -> None:
    _, warnings = resolve_environment(settings, {"numpy": f"{MAJOR}.999.0"})
    assert len(warnings) == 1
    assert f"numpy {MAJOR}.999.0 is declared" in warnings[0]
    assert NUMPY in warnings[0]


def test_each_dependency_that_cannot_be_had_is_named(settings: Settings) -> None:
    absent = {"scikit-learn": "0.20.0", "tensorflow": "1.12.0", "no such name": "1", "python": "3.6"}
    with pytest.raises(EnvironmentBuildError) as caught:
        resolve_environment(settings, {**absent, "numpy": NUMPY})
    message = caught.value.message
    assert f"scikit-learn 0.20.0 is declared, this platform has {metadata.version('scikit-learn')}" in message
    assert "tensorflow 1.12.0 is declared, this platform has none" in message
    assert "no such name" in message
    assert "python 3.6 is declared" in message
    assert "numpy" not in message
    assert caught.value.hint


def test_the_worker_part_has_all_that_a_worker_imports_and_nothing_else(settings: Settings) -> None:
    part = worker_part(settings.data_dir)
    packages = {path.name for path in (part / "rafiki").iterdir()} - {"__pycache__"}
    assert packages == {
        "__init__.py", "config.py", "constants.py", "entities.py", "errors.py", "model", "tasks", "worker",
    }  # fmt: skip
    found = subprocess.run(
        [sys.executable, "-c", "import rafiki.worker.program as p, rafiki.model.dev; print(p.__file__)"],
        cwd=part,
        env={"PYTHONPATH": str(part)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.startswith(str(part))


def test_the_worker_part_is_made_once_also_by_several_at_a_time(tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as threads:
        parts = set(threads.map(lambda _: worker_part(tmp_path), range(2)))
    assert len(parts) == 1
    assert set((tmp_path / "worker_part").iterdir()) == parts
    made = next(iter(parts)).stat()
    assert worker_part(tmp_path).stat() == made
