"""The folder that workers import us from."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rafiki.environment import worker_part


def test_the_worker_part_has_all_that_a_worker_imports_and_nothing_else(tmp_path: Path) -> None:
    part = worker_part(tmp_path)
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
