"""What tests of several files share: container engines."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.containers import Engine, running_docker, running_podman


@pytest.fixture(scope="session")
def podman(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with running_podman(tmp_path_factory.mktemp("podman")) as running:
        yield running


@pytest.fixture(scope="session")
def docker(tmp_path_factory: pytest.TempPathFactory, podman: Engine) -> Iterator[Engine]:
    with running_docker(tmp_path_factory.mktemp("docker"), podman) as running:
        yield running
