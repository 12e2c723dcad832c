"""What no template can do to the platform or to its neighbours, confined by bubblewrap or in a container.

Every way to go wrong is in `tests/templates/hostile`, how it must end in `tests/hostile.py`. All of them run while a
neighbour's trials and predictions do.
"""

from __future__ import annotations

import json
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from rafiki.client import Client, RafikiConnectionError
from tests.containers import WORKER_IMAGE, Engine
from tests.hostile import (
    ANSWER_BADLY,
    COMPLETE,
    COMPLETE_IN_SANDBOX,
    FAIL,
    FAIL_IN_SANDBOX,
    FAIL_SLOWLY,
    LIMITS,
    SEEN_BY_THE_CHECK,
    source_of,
)
from tests.server_process import ServerProcess, Until, Work

pytestmark = pytest.mark.skipif(shutil.which("bwrap") is None, reason="needs bubblewrap (apt-get install bubblewrap)")

LIMIT_S = 180
DATASET = b"a,b\n1,2\n"
#: A time that nobody else sleeps: how what a template leaves behind is found.
MARK = "86398.25"


@dataclass
class Neighbour:
    """Somebody whose trials and predictions go on meanwhile."""

    work: Work
    latencies_s: list[float] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)

    def start(self) -> None:
        model = self.work.model()
        self.work.ended_train_job("served", [model])
        self.work.client.create_inference_job("served")
        job = self.work.client.wait_until_inference_job_is_running("served", timeout=60)
        self.work.train_job("running", [model], {"seconds": 0.5}, MODEL_TRIAL_COUNT=100_000, WORKER_COUNT=1)
        self._is_over = threading.Event()
        self._asking = threading.Thread(target=self._ask, args=(f"http://{job['predictor_host']}/predict",))
        self._asking.start()

    def _ask(self, url: str) -> None:
        with httpx.Client(timeout=30) as http:
            while not self._is_over.wait(0.02):
                asked = time.monotonic()
                answer = http.post(url, json={"query": 1})
                self.latencies_s.append(time.monotonic() - asked)
                if answer.status_code != 200:
                    self.troubles.append(answer.text)

    def stop(self) -> list[dict[str, Any]]:
        """Its trials."""
        self._is_over.set()
        self._asking.join()
        trials: list[dict[str, Any]] = self.work.client.get_trials_of_train_job("running")
        self.work.client.stop_train_job("running")
        self.work.client.stop_inference_job("served")
        return trials


@dataclass
class Attack:
    """All ways as trials of one job, with what became of each."""

    client: Client
    trials: dict[str, list[dict[str, Any]]]  # by way

    def logged(self, way: str) -> list[str]:
        (trial,) = self.trials[way]
        return [entry["message"] for entry in self.client.get_trial_logs(trial["id"])["messages"]]


@pytest.fixture(scope="module", params=["sandbox", "container"])
def engine_or_none(request: pytest.FixtureRequest) -> Engine | None:
    """With an engine, the attacker's models run in containers."""
    return request.getfixturevalue("podman") if request.param == "container" else None


@pytest.fixture(scope="module")
def hostile_server(engine_or_none: Engine | None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    limits = {f"RAFIKI_{name.upper()}": str(value) for name, value in LIMITS.items()}
    settings = {"RAFIKI_CONFINEMENT": "required", "RAFIKI_WORKER_READABLE": "", "RAFIKI_CORES": "3", **limits}
    settings["RAFIKI_CONTAINER_ENGINE"] = engine_or_none.address if engine_or_none else "off"
    server = ServerProcess(tmp_path_factory.mktemp("hostile") / "data", **settings)
    server.start()
    yield server
    assert server.stop() == 0
    assert server.processes() == {}
    assert not engine_or_none or engine_or_none.containers() == []


@pytest.fixture(scope="module")
def neighbour(hostile_server: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Neighbour]:
    user = hostile_server.user("MODEL_DEVELOPER", "neighbour@example.org")
    one = Neighbour(Work(user, tmp_path_factory.mktemp("neighbour")))
    one.start()
    yield one
    trials = one.stop()
    assert one.troubles == []
    assert len(one.latencies_s) > 100
    assert max(one.latencies_s) < 5
    assert sorted(one.latencies_s)[len(one.latencies_s) * 99 // 100] < 1
    ended = [trial for trial in trials if trial["status"] != "RUNNING"]
    assert len(ended) > 10
    assert {(trial["status"], trial["attempt"]) for trial in ended} == {("COMPLETED", 1)}


class Attacker(Work):
    """Who uploads the templates."""

    def __init__(self, client: Client, folder: Path, docker_image: str | None = None) -> None:
        super().__init__(client, folder)
        self.docker_image = docker_image

    def upload(self, folder: Path, way: str) -> str:
        path = folder / "Way.py"
        path.write_bytes(source_of(way))
        model = self.client.create_model(way, "ANY", str(path), "Way", docker_image=self.docker_image)
        return str(model["id"])


@pytest.fixture(scope="module")
def attacker(
    hostile_server: ServerProcess,
    engine_or_none: Engine | None,
    neighbour: Neighbour,
    tmp_path_factory: pytest.TempPathFactory,
) -> Attacker:
    user = hostile_server.user("MODEL_DEVELOPER", "attacker@example.org")
    return Attacker(user, tmp_path_factory.mktemp("attacker"), WORKER_IMAGE if engine_or_none else None)


def secrets_of(server: ServerProcess) -> list[str]:
    """Files that templates must not be able to read; the first is the database."""
    runners = [pid for pid, command in server.processes().items() if "rafiki.runner" in command]
    assert server.process is not None
    return [
        str(server.data_dir / "rafiki.db"),
        # The neighbour's dataset, model and parameters; a dataset that the attacker uploads, too, is the same blob.
        *(str(path) for path in (server.data_dir / "blobs").glob("??/*") if path.read_bytes() != DATASET),
        str(server.data_dir / "scratch"),
        str(server.data_dir / "run"),
        str(server.data_dir / "logs"),
        "/etc/passwd",
        "/etc/shadow",
        str(Path.home() / ".bashrc"),
        *(f"/proc/{pid}/environ" for pid in (server.process.pid, *runners)),
    ]


@pytest.fixture(scope="module")
def attack(hostile_server: ServerProcess, attacker: Attacker, tmp_path_factory: pytest.TempPathFactory) -> Attack:
    folder = tmp_path_factory.mktemp("templates")
    secrets = secrets_of(hostile_server)  # before the attacker has anything of their own
    ways = [*FAIL, *FAIL_SLOWLY, *FAIL_IN_SANDBOX, *COMPLETE, *COMPLETE_IN_SANDBOX]
    models = {attacker.upload(folder, way): way for way in ways}
    for model_id in models:
        assert attacker.client.wait_until_model_is_checked(model_id, timeout=LIMIT_S)["status"] == "READY"
    runner_pid = next(pid for pid, command in hostile_server.processes().items() if "rafiki.runner" in command)
    train_args = {"secrets": secrets, "ports": [hostile_server.port], "runner_pid": runner_pid, "mark": MARK}
    attacker.train_job("attack", list(models), train_args, MODEL_TRIAL_COUNT=1, WORKER_COUNT=2)
    job = attacker.client.wait_until_train_job_has_stopped("attack", timeout=LIMIT_S)
    assert job["status"] == "ERRORED"
    trials: dict[str, list[dict[str, Any]]] = {way: [] for way in ways}
    for trial in attacker.client.get_trials_of_train_job("attack"):
        trials[trial["model_name"]].append(trial)
    return Attack(attacker.client, trials)


@pytest.mark.parametrize(("way", "code"), SEEN_BY_THE_CHECK.items())
def test_what_the_check_sees(attacker: Attacker, tmp_path: Path, way: str, code: str) -> None:
    model = attacker.client.wait_until_model_is_checked(attacker.upload(tmp_path, way), timeout=LIMIT_S)
    assert (model["status"], model["error"]["code"]) == ("INVALID", code)


@pytest.mark.parametrize(("way", "expected"), (FAIL | FAIL_SLOWLY | FAIL_IN_SANDBOX).items())
def test_every_way_to_die_has_a_name(attack: Attack, way: str, expected: tuple[str, str]) -> None:
    code, part = expected
    for trial in attack.trials[way]:
        assert (trial["status"], trial["error"]["code"]) == ("ERRORED", code)
        message = trial["error"]["message"]
        # In a container the kernel may be quicker than we are.
        assert part in message or (code == "OUT_OF_MEMORY" and "probably because it was out of memory" in message)
    assert len(attack.trials[way]) == (2 if code == "KILLED" else 1)  # what was killed is tried again, once


@pytest.mark.parametrize("way", [*COMPLETE, *COMPLETE_IN_SANDBOX])
def test_what_does_no_harm_is_as_any_other_trial(attack: Attack, way: str) -> None:
    assert [trial["status"] for trial in attack.trials[way]] == ["COMPLETED"]


def test_a_template_sees_nothing_that_is_not_its_own(
    hostile_server: ServerProcess, engine_or_none: Engine | None, attack: Attack
) -> None:
    seen = {entry["path"]: entry["seen"] for entry in map(json.loads, attack.logged("looks_around"))}
    absent = ["/etc/passwd", "/etc/shadow", str(Path.home() / ".bashrc")]  # in a container these are its image's
    for secret in (secrets_of(hostile_server)[0], *([] if engine_or_none else absent)):
        assert seen[secret] == "'FileNotFoundError'"
    written = {path: found for path, found in seen.items() if path.startswith("write ")}
    blobs = {path: seen[path] for path in seen.keys() - written if "/blobs/" in path and not path.endswith("..")}
    assert len(blobs) > 2
    assert set(blobs.values()) == {"'FileNotFoundError'"}, blobs
    (data_folder,) = (found for path, found in seen.items() if path.endswith("/../.."))
    assert "rafiki.db" not in data_folder
    assert all(found == "'FileNotFoundError'" for path, found in seen.items() if path.endswith("/environ"))
    assert len([name for name in json.loads(seen["/proc"].replace("'", '"')) if name.isdigit()]) <= 2
    if not engine_or_none:
        assert seen["/home"] == seen["/run"] == "''"
    assert "RAFIKI" not in seen["environ"]
    assert len(json.loads(seen["fds"].replace("'", '"'))) <= 7  # three, its socket, and what the listing itself needs
    assert "written" not in written.values()


def test_a_template_reaches_no_port_and_no_other_process(attack: Attack) -> None:
    assert attack.logged("opens_sockets")[0] == "local: ConnectionRefusedError"
    found = json.loads(attack.logged("traces_others")[0])
    assert found["others"] == [1]  # the first process of its own sandbox
    sent, runner, everybody = attack.logged("kills_its_parent")
    assert sent == "sent to 1"  # where it has no effect
    assert runner == "ProcessLookupError"
    assert everybody in ("sent to -1", "ProcessLookupError")


def test_nothing_of_a_job_is_left(hostile_server: ServerProcess, attack: Attack, until: Until) -> None:
    def is_marked(path: Path) -> bool:
        try:
            return MARK.encode() in path.read_bytes()
        except OSError:
            return False

    assert not [path for path in Path("/proc").glob("[0-9]*/cmdline") if is_marked(path)]
    until(lambda: len(list((hostile_server.data_dir / "scratch").iterdir())) == 2, 10)  # the neighbour's


@pytest.mark.parametrize(("way", "part"), ANSWER_BADLY.items())
def test_bad_answers_are_named(attacker: Attacker, tmp_path: Path, way: str, part: str) -> None:
    attacker.ended_train_job(way, [attacker.upload(tmp_path, way)])
    attacker.client.create_inference_job(way)
    attacker.client.wait_until_inference_job_is_running(way, timeout=60)
    with pytest.raises(RafikiConnectionError) as caught:
        attacker.client.predict(way, query=1)
    assert part in str(caught.value)
    attacker.client.stop_inference_job(way)


def test_a_server_that_cannot_do_what_is_required_does_not_start(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path / "data", RAFIKI_CONFINEMENT="required", PATH="/nonexistent")
    with pytest.raises(AssertionError, match="ended with status 1"):
        server.start()


def test_network_is_there_where_an_admin_allows_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = ServerProcess(tmp_path / "data", RAFIKI_WORKER_ALLOW_NETWORK="*")
        server.start()
        work = Attacker(server.client(), tmp_path)
        work.ended_train_job("app", [work.upload(tmp_path, "opens_sockets")], {"ports": [listener.getsockname()[1]]})
        (trial,) = work.client.get_trials_of_train_job("app")
        assert work.client.get_trial_logs(trial["id"])["messages"][0]["message"] == "local: reached"
        server.stop()
