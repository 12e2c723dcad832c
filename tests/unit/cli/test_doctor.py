"""`rafiki doctor`."""

from __future__ import annotations

import socket

from rafiki.cli import doctor
from rafiki.cli.doctor import CHECKS, FINE, IMPOSSIBLE, LIMITED, Finding
from rafiki.gpus import Gpu, Inventory


def test_it_says_what_this_machine_can_do(anybody):
    done = anybody("doctor", "--json")
    assert done.status == 0
    assert done.json["can_serve"] is True
    findings = {finding["name"]: finding for finding in done.json["findings"]}
    assert len(findings) == len(CHECKS)
    assert findings["server part"]["state"] == FINE
    assert all(finding["state"] in (FINE, LIMITED) and finding["found"] for finding in findings.values())
    assert all(finding["meaning"] for finding in findings.values() if finding["state"] == LIMITED)


def test_where_no_server_can_run_it_ends_with_1(anybody, monkeypatch):
    impossible = Finding("data folder", IMPOSSIBLE, "0 bytes free", "/x cannot be written", "name one by --data-dir")
    monkeypatch.setattr(doctor, "CHECKS", (lambda: Finding("cores", FINE, "2"), lambda: impossible))
    done = anybody("doctor")
    assert done.status == 1
    assert [line.split()[:2] for line in done.out.splitlines()[:2]] == [["fine", "cores"], ["impossible", "data"]]
    assert "-> name one by --data-dir" in done.out
    assert anybody("doctor", "--json").json["can_serve"] is False


def test_missing_packages_of_the_server_are_named(monkeypatch):
    monkeypatch.setattr(doctor, "_server_packages", lambda: ["typer", "no-such-package"])
    finding = doctor.check_server_part()
    assert (finding.state, finding.install) == (IMPOSSIBLE, "pip install 'rafiki[server]'")
    assert finding.meaning == "a server needs no-such-package"


def test_the_servers_packages_are_those_that_are_declared():
    packages = doctor._server_packages()
    assert {"fastapi", "sqlalchemy", "pydantic-settings"} <= set(packages)
    assert not {"numpy", "pytest"} & set(packages)


def test_gpus_are_those_that_the_driver_tells_of(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(doctor, "look", Inventory)
    assert doctor.check_gpus() == Finding("GPUs", FINE, "none: models run on the cores")
    two = tuple(Gpu(index, f"GPU-{index}", "NVIDIA H200", 141 * 2**30) for index in range(2))
    monkeypatch.setattr(doctor, "look", lambda: Inventory(two, "570.86.15"))
    all_of_them = "0 (NVIDIA H200, 141 GiB), 1 (NVIDIA H200, 141 GiB); driver 570.86.15"
    assert doctor.check_gpus() == Finding("GPUs", FINE, all_of_them)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert doctor.check_gpus() == Finding("GPUs", FINE, f"{all_of_them}; a server uses 1")
    monkeypatch.setenv("RAFIKI_GPUS", "2")
    refused = doctor.check_gpus()
    assert (refused.state, refused.found) == (LIMITED, all_of_them)
    assert "gpus is 2, and this machine has 2 GPUs" in refused.meaning


def test_a_driver_that_does_not_work_is_told(monkeypatch):
    problem = "the NVIDIA driver does not work: Driver/library version mismatch"
    monkeypatch.setattr(doctor, "look", lambda: Inventory(problem=problem))
    assert doctor.check_gpus() == Finding("GPUs", LIMITED, "none: models run on the cores", problem)


def test_what_is_not_there_can_be_installed(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    finding = doctor.check_bubblewrap()
    assert (finding.state, finding.install) == (LIMITED, "apt-get install bubblewrap")


def test_an_engine_that_does_not_answer_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("RAFIKI_CONTAINER_ENGINE", f"unix://{tmp_path}/engine.sock")
    finding = doctor.check_containers()
    assert finding.state == LIMITED
    assert f"{tmp_path}/engine.sock cannot be reached" in finding.found
    assert "docker_image" in finding.meaning
    assert "apt-get install podman" in finding.install


def test_what_is_there_and_does_not_work_says_why(monkeypatch, tmp_path):
    (tmp_path / "bwrap").write_text("#!/bin/sh\necho 'No permissions to create a namespace' >&2\nexit 1\n")
    (tmp_path / "bwrap").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    finding = doctor.check_bubblewrap()
    assert finding.state == LIMITED
    assert "No permissions to create a namespace" in finding.found


def test_a_taken_port_is_named(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setenv("RAFIKI_PORT", str(listener.getsockname()[1]))
        finding = doctor.check_port()
    assert finding.state == LIMITED
    assert "is taken" in finding.found


def test_a_data_folder_is_looked_for_where_a_server_would_have_it(monkeypatch, tmp_path):
    monkeypatch.setenv("RAFIKI_DATA_DIR", str(tmp_path / "not" / "yet"))
    assert str(tmp_path / "not" / "yet") in doctor.check_disk().found
    monkeypatch.setenv("RAFIKI_CORES", "many")
    assert doctor.check_disk().state in (FINE, LIMITED)


def test_what_confinement_lacks_is_told_with_what_helps(monkeypatch):
    monkeypatch.setenv("RAFIKI_CONFINEMENT", "off")
    finding = doctor.check_confinement()
    assert finding.state == LIMITED
    assert "clean environment" in finding.found
    assert "can reach what this machine can reach" in finding.meaning
    assert "set it to auto" in finding.install
