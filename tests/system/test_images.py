"""Models that name a `docker_image`, from their upload to predictions, as their developers see it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from rafiki.cli.doctor import FINE, check_containers
from tests.containers import EMPTY_IMAGE, WORKER_IMAGE, Engine
from tests.server_process import ServerProcess, Until, Work

LIMIT_S = 120
#: What only this image has.
OWN_IMAGE = "localhost/rafiki-test-own:1"
DOCKERFILE = f"""\
FROM {WORKER_IMAGE}
RUN echo 'ANSWER = 42' > "$(python3 -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/only_here.py"
"""
TEMPLATE = """
import only_here
from rafiki.model import BaseModel, FloatKnob, logger

class Own(BaseModel):
    @staticmethod
    def get_knob_config():
        return {"x": FloatKnob(0.0, 1.0)}
    def __init__(self, **knobs):
        self._knobs = knobs
    def train(self, dataset_path, shared_params=None, **train_args):
        logger.log(f"read {len(open(dataset_path).read())} characters")
    def evaluate(self, dataset_path):
        return 0.9
    def predict(self, queries):
        return [only_here.ANSWER for _ in queries]
    def dump_parameters(self):
        return {"x": self._knobs["x"]}
    def load_parameters(self, params):
        self._params = params
"""


@pytest.fixture(scope="module")
def server(podman: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("images")
    (folder / "Dockerfile").write_text(DOCKERFILE)
    podman.ask("build", "--quiet", "--network", "none", "--tag", OWN_IMAGE, str(folder))
    one = ServerProcess(folder / "data", RAFIKI_CONTAINER_ENGINE=podman.address, RAFIKI_WORKER_READABLE="")
    one.start()
    yield one
    assert one.stop() == 0
    assert one.processes() == {}
    assert podman.containers() == []


@pytest.fixture
def work(server: ServerProcess, tmp_path: Path) -> Work:
    return Work(server.client(), tmp_path)


def upload(work: Work, folder: Path, name: str, image: str, **options: Any) -> dict[str, Any]:
    path = folder / "Own.py"
    path.write_text(TEMPLATE)
    model = work.client.create_model(name, "ANY", str(path), "Own", docker_image=image, **options)
    checked: dict[str, Any] = work.client.wait_until_model_is_checked(model["id"], timeout=LIMIT_S)
    return checked


def test_a_model_in_an_image_is_tuned_beside_another_and_served_with_it(
    podman: Engine, work: Work, tmp_path: Path, until: Until
) -> None:
    model = upload(work, tmp_path, "Own", OWN_IMAGE, dependencies={"scikit-learn": "1.5.2"})
    assert (model["status"], model["error"]) == ("READY", None)
    assert model["environment"].startswith("image-")
    assert "dependencies are not installed" in model["warnings"][0]
    steps = work.model()
    job = work.ended_train_job("mixed", [model["id"], steps], MODEL_TRIAL_COUNT=4, WORKER_COUNT=2)
    assert job["status"] == "STOPPED"
    trials = work.client.get_trials_of_train_job("mixed")
    assert [(trial["status"], trial["attempt"]) for trial in trials] == [("COMPLETED", 1)] * 8
    own = next(trial for trial in trials if trial["model_name"] == "Own")
    (message,) = work.client.get_trial_logs(own["id"])["messages"]
    assert message["message"] == "read 8 characters"
    assert podman.containers() == []

    work.client.create_inference_job("mixed")
    job = work.client.wait_until_inference_job_is_running("mixed", timeout=LIMIT_S)
    url = f"http://{job['predictor_host']}/predict?explain=1"

    def votes() -> dict[str, Any] | None:
        """Once all members are loaded, each one's predictions."""
        members = httpx.post(url, json={"query": 1}, timeout=30).json()["explanation"]["members"]
        given = {member["model"]: member["predictions"] for member in members}
        return given if all(given.values()) else None

    assert until(votes, LIMIT_S)["Own"] == [42]
    assert len(podman.containers()) == 1
    work.client.stop_inference_job("mixed")
    assert podman.containers() == []


def test_a_killed_runner_leaves_no_container_and_the_job_goes_on(
    podman: Engine, server: ServerProcess, work: Work, tmp_path: Path, until: Until
) -> None:
    model = upload(work, tmp_path, "Goes on", OWN_IMAGE)
    work.train_job("goes-on", [model["id"]], MODEL_TRIAL_COUNT=100_000, WORKER_COUNT=1)
    until(lambda: work.client.get_trials_of_train_job("goes-on"), 30)
    until(podman.containers, 30)
    before = podman.containers()
    (runner,) = [pid for pid, command in server.processes().items() if "rafiki.runner" in command]
    os.kill(runner, signal.SIGKILL)
    until(lambda: podman.containers() and not set(before) & set(podman.containers()), 30)
    work.client.stop_train_job("goes-on")
    assert podman.containers() == []


def test_a_model_keeps_the_image_that_it_was_checked_in(podman: Engine, work: Work, tmp_path: Path) -> None:
    tag = "localhost/rafiki-test-moving:1"
    podman.ask("tag", OWN_IMAGE, tag)
    model = upload(work, tmp_path, "Keeps", tag)
    podman.ask("tag", WORKER_IMAGE, tag)  # has no module `only_here`
    work.ended_train_job("keeps", [model["id"]])
    (trial,) = work.client.get_trials_of_train_job("keeps")
    assert trial["status"] == "COMPLETED"
    assert upload(work, tmp_path, "Keeps another", tag)["error"]["code"] == "MISSING_DEPENDENCY"
    podman.ask("rmi", tag)


def test_the_doctor_tells_of_the_engine(podman: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAFIKI_CONTAINER_ENGINE", podman.address)
    finding = check_containers()
    assert finding.state == FINE
    assert finding.found.startswith("podman ")
    assert finding.found.endswith(str(podman.socket_path))


REFUSALS = {
    "no such image": ("localhost/no-such-image:7", "There is no image localhost/no-such-image:7", "Check its name"),
    "no image's name": ("No Name!", "'No Name!' is no name of an image", "rafikiai/rafiki_worker"),
    "no Python in it": (EMPTY_IMAGE, "python3", "extends Rafiki's worker image"),
    "no numpy in it": ("localhost/rafiki-test-base:1", "No module named 'numpy'", "extends Rafiki's worker image"),
}


@pytest.mark.parametrize(("image", "message", "hint"), REFUSALS.values(), ids=REFUSALS.keys())
def test_an_image_that_cannot_be_used_is_the_models_error(
    work: Work, tmp_path: Path, image: str, message: str, hint: str
) -> None:
    model = upload(work, tmp_path, f"in {image.replace('/', '-')}", image)
    assert (model["status"], model["error"]["code"]) == ("INVALID", "MISSING_DEPENDENCY")
    assert message in model["error"]["message"]
    assert hint in model["error"]["hint"]


@pytest.mark.parametrize(
    ("configured", "message", "hint"),
    [
        ("off", "runs no containers", "RAFIKI_CONTAINER_ENGINE"),
        ("unix:///nonexistent/podman.sock", "/nonexistent/podman.sock cannot be reached", "An admin"),
        ("tcp://example.org:2375", "is no Unix socket", "unix:///run/podman/podman.sock"),
    ],
)
def test_a_missing_engine_is_the_models_error(tmp_path: Path, configured: str, message: str, hint: str) -> None:
    server = ServerProcess(tmp_path / "data", RAFIKI_CONTAINER_ENGINE=configured)
    server.start()
    work = Work(server.client(), tmp_path)
    model = upload(work, tmp_path, "Own", OWN_IMAGE)
    assert (model["status"], model["error"]["code"]) == ("INVALID", "MISSING_DEPENDENCY")
    assert message in model["error"]["message"]
    assert hint in model["error"]["hint"]
    steps = work.client.wait_until_model_is_checked(work.model(), timeout=LIMIT_S)
    assert steps["status"] == "READY"
    assert server.stop() == 0
