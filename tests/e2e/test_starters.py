"""Starter models on a real server: published for everybody, once, in whoever's name, and usable."""

from __future__ import annotations

from pathlib import Path

import pytest

from rafiki.client import RafikiConnectionError
from rafiki.starters import STARTERS, install_starters
from tests.server_process import ServerProcess, Work

TASK = "POS_TAGGING"
HMM = next(starter for starter in STARTERS if starter.name == "TagHmm")


def test_install_starters(server: ServerProcess, developer: Work, tmp_path: Path) -> None:
    client = developer.client
    earlier = tmp_path / "TagHmm.py"
    earlier.write_text("# earlier\n" + HMM.path.read_text())
    client.create_model("TagHmm", TASK, earlier, "TagHmm", {}, "PUBLIC")

    rows = install_starters(client, [TASK])
    assert [(row["name"], row["task"], row["outcome"]) for row in rows] == [
        ("TagHmm", TASK, "updated"),
        ("TagCrf", TASK, "published"),
    ]
    for row in rows:
        model = client.wait_until_model_is_checked(row["id"], timeout=120)
        assert (model["status"], model["error"], model["access_right"]) == ("READY", None, "PUBLIC")
        assert model["warnings"] == []
    assert client.get_model(rows[0]["id"])["version"] == 2

    again = install_starters(client, [TASK])
    assert again == [{**row, "outcome": "unchanged"} for row in rows]
    # Somebody else's are good enough: nobody gets two of each.
    assert install_starters(server.client(), TASK) == again

    everybody = server.user("APP_DEVELOPER", "uses-starters@example.org")
    assert {row["id"] for row in rows} <= {model["id"] for model in everybody.get_available_models(TASK)}
    with pytest.raises(RafikiConnectionError, match="UnauthorizedError"):
        install_starters(everybody, [TASK])
    with pytest.raises(ValueError, match="no starter models for the task 'SPEECH_RECOGNITION'; there are for IMAGE_"):
        install_starters(client, ["SPEECH_RECOGNITION"])
