"""What a worker's container is asked to be, where no engine is needed to tell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rafiki.environment import Environment
from rafiki.environment.engine import EngineAbilities, find_engine_socket, split_reference
from rafiki.errors import EnvironmentBuildError
from rafiki.executor import Allowance, Limits, WorkerSpec
from rafiki.executor.container_config import container_config

DOCKER = EngineAbilities("docker", "28.2.2")
PODMAN = EngineAbilities("podman", "5.4.0")
PLACE = Path("/data/scratch/job")


def config(engine: EngineAbilities = DOCKER, **options: Any) -> dict[str, Any]:
    environment = Environment(Path("python3"), Path("/data/worker_part/1"), "0123abcd")
    spec = WorkerSpec("w1", environment, Path("/data/blobs/ab/model"), "MyModel", PLACE / "w1", **options)
    return container_config(spec, engine, PLACE / "w1-container/sockets")


def variables(found: dict[str, Any]) -> dict[str, str]:
    return dict(variable.split("=", 1) for variable in found["Env"])


@pytest.mark.parametrize(
    ("engine", "request_of_gpus"),
    [
        (DOCKER, {"Driver": "nvidia", "DeviceIDs": ["1", "3"], "Capabilities": [["gpu"]]}),
        (PODMAN, {"Driver": "cdi", "DeviceIDs": ["nvidia.com/gpu=1", "nvidia.com/gpu=3"]}),
    ],
)
def test_gpus_are_granted_by_index_and_counted_anew(engine: EngineAbilities, request_of_gpus: dict[str, Any]) -> None:
    found = config(engine, gpus=(1, 3))
    assert found["HostConfig"]["DeviceRequests"] == [request_of_gpus]
    assert variables(found)["CUDA_VISIBLE_DEVICES"] == variables(found)["CUDA_AVAILABLE_DEVICES"] == "0,1"
    assert "NVIDIA_VISIBLE_DEVICES" not in variables(found)  # the engine sets it


def test_without_gpus_none_is_seen_also_where_the_engine_would_show_all() -> None:
    found = config()
    assert "DeviceRequests" not in found["HostConfig"]
    assert variables(found)["CUDA_VISIBLE_DEVICES"] == variables(found)["CUDA_AVAILABLE_DEVICES"] == "-1"
    assert variables(found)["NVIDIA_VISIBLE_DEVICES"] == "void"


@pytest.mark.parametrize("version", ["4.3.1", "5.3.2"])
def test_a_podman_that_would_ignore_gpus_is_refused(version: str) -> None:
    with pytest.raises(EnvironmentBuildError, match=f"podman {version}"):
        config(EngineAbilities("podman", version), gpus=(0,))


def test_files_are_read_only_but_for_the_workers_own() -> None:
    allowance = Allowance(readable=(Path("/data/blobs/cd/dataset"), Path("/weights")))
    mounts = config(cache_dir=PLACE / "cache", allowance=allowance)["HostConfig"]["Mounts"]
    socket_mounts = [mount for mount in mounts if mount["Source"] != mount["Target"]]
    assert [mount["Target"] for mount in socket_mounts] == ["/run/rafiki"]
    assert {mount["Source"] for mount in mounts if not mount["ReadOnly"]} == {
        f"{PLACE}/w1", f"{PLACE}/cache", f"{PLACE}/w1-container/sockets",
    }  # fmt: skip
    assert {mount["Source"] for mount in mounts if mount["ReadOnly"]} == {
        "/data/worker_part/1", "/data/blobs/ab/model", "/data/blobs/cd/dataset", "/weights",
    }  # fmt: skip


def test_a_data_folder_is_hidden_in_what_an_admin_shows() -> None:
    shown = Allowance(readable=(Path("/srv"),), hidden=(Path("/srv/rafiki"),))
    assert "/srv/rafiki" in config(allowance=shown)["HostConfig"]["Tmpfs"]
    elsewhere = Allowance(readable=(Path("/srv"),), hidden=(Path("/data"),))
    assert "/data" not in config(allowance=elsewhere)["HostConfig"]["Tmpfs"]


def test_limits_are_the_engines_as_far_as_it_can() -> None:
    allowance = Allowance(limits=Limits(memory_bytes=2**30, n_tasks=50, n_open_files=100, scratch_bytes=2**20))
    found = config(allowance=allowance)["HostConfig"]
    assert (found["Memory"], found["MemorySwap"], found["PidsLimit"]) == (2**30, 2**30, 50)
    values = {limit["Name"]: limit["Hard"] for limit in found["Ulimits"]}
    assert (values["nofile"], values["fsize"], values["core"]) == (100, 2**20, 0)
    weak = EngineAbilities("podman", "5.4.0", is_rootless=True, can_limit_memory=False, can_limit_tasks=False)
    assert not {"Memory", "PidsLimit"} & config(weak, allowance=allowance)["HostConfig"].keys()


def test_the_user_is_who_owns_the_workers_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.getuid", lambda: 1234)
    monkeypatch.setattr("os.getgid", lambda: 99)
    assert config()["User"] == "1234:99"
    assert config(EngineAbilities("podman", "5.4.0", is_rootless=True))["User"] == "0:0"  # which is that user outside


def test_the_network_is_there_only_where_it_is_allowed() -> None:
    closed, open_ = config(), config(allowance=Allowance(has_network=True))
    assert (closed["NetworkDisabled"], closed["HostConfig"]["NetworkMode"]) == (True, "none")
    assert (open_["NetworkDisabled"], "NetworkMode" in open_["HostConfig"]) == (False, False)
    assert [json.loads(one["Cmd"][0])["has_network"] for one in (closed, open_)] == [False, True]


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("rafikiai/rafiki_worker", ("rafikiai/rafiki_worker", "latest")),
        ("localhost:5000/team/worker", ("localhost:5000/team/worker", "latest")),
        ("localhost:5000/team/worker:3", ("localhost:5000/team/worker", "3")),
        ("worker@sha256:" + "ab" * 32, ("worker", "sha256:" + "ab" * 32)),
    ],
)
def test_a_tag_is_never_left_to_the_engine(reference: str, parts: tuple[str, str]) -> None:
    assert split_reference(reference) == parts


def test_the_engine_is_the_configured_one(tmp_path: Path) -> None:
    assert find_engine_socket(f"unix://{tmp_path}/s") == find_engine_socket(f"{tmp_path}/s") == tmp_path / "s"
    for configured, part in (
        ("off", "runs no containers"),
        ("tcp://host:2375", "is no Unix socket"),
        ("podman", "is no"),
    ):
        with pytest.raises(EnvironmentBuildError, match=part):
            find_engine_socket(configured)
