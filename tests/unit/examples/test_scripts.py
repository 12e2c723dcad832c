from pathlib import Path
from typing import Any

import pytest

from examples.scripts.run_pos_tagging import read_names
from examples.scripts.run_tabular_regression import MODEL_PATH, read_queries
from examples.scripts.seed_users import read_users, seed_users


class FakeClient:
    def __init__(self) -> None:
        self.users: list[dict[str, Any]] = [{"email": "Admin@rafiki"}]
        self.passwords: list[str] = []

    def get_users(self) -> list[dict[str, Any]]:
        return self.users

    def create_user(self, email: str, password: str, user_type: str) -> dict[str, Any]:
        self.users.append({"email": email, "user_type": user_type})
        self.passwords.append(password)
        return self.users[-1]


def test_users_are_created_once(capsys: pytest.CaptureFixture[str]) -> None:
    client = FakeClient()
    created = seed_users(client)
    assert created == [
        {"email": "model_developer@rafiki", "user_type": "MODEL_DEVELOPER"},
        {"email": "app_developer@rafiki", "user_type": "APP_DEVELOPER"},
    ]
    assert "admin@rafiki exists" in capsys.readouterr().out
    assert len(set(client.passwords)) == 2
    assert seed_users(client) == []


def test_users_of_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "users.csv"
    path.write_text("email,user_type,password\na@b,ADMIN,secret\nc@d,APP_DEVELOPER,\nA@B,ADMIN,\n")
    client = FakeClient()
    seed_users(client, read_users(path))
    shown = capsys.readouterr().out
    assert client.passwords[0] == "secret"
    assert "secret" not in shown
    assert client.passwords[1] in shown
    assert len(client.users) == 3
    path.write_text("email,kind\na@b,ADMIN\n")
    with pytest.raises(SystemExit, match="row 2: expected the columns email and user_type"):
        read_users(path)


def test_what_the_flows_read(tmp_path: Path) -> None:
    assert MODEL_PATH.is_file()
    (tmp_path / "x.csv").write_text("a,b,t\n1,,5\n2,x,6\n3,y,7\n")
    assert read_queries(tmp_path / "x.csv", "t") == [{"a": "1", "b": None}, {"a": "2", "b": "x"}]
    (tmp_path / "x.tsv").write_text('tag\tname\n0\t"\n1\tNN\n')
    assert read_names(tmp_path / "x.tsv") == {0: '"', 1: "NN"}
    assert read_names(tmp_path / "none.tsv") == {}
