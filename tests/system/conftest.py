"""What tests of several files share: a container engine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.containers import Engine, running_engine, skip_without_podman


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    skip_without_podman()
    with running_engine(tmp_path_factory.mktemp("engine")) as running:
        yield running
