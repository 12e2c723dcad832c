"""`rafiki login` and what follows from it."""

from __future__ import annotations

import json
import stat

import pytest

from rafiki.cli.sign_ins import SignIns, config_dir
from tests.unit.cli.conftest import USER


def test_a_sign_in_is_kept_for_its_owner_alone(admin, anybody):
    admin.on("POST /tokens", USER)
    done = anybody("login", "--email", "a@b", stdin="pw\n")
    address = f"http://127.0.0.1:{admin.port}"
    assert done.out == f"Signed in at {address} as a@b (MODEL_DEVELOPER).\n"
    assert admin.last.json == {"email": "a@b", "password": "pw"}
    path = SignIns().path
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert "pw" not in path.read_text()
    admin.on("GET /datasets", [])
    assert anybody("dataset", "list").out == "None.\n"
    assert admin.last.token == "Bearer t0k"


def test_the_password_is_taken_from_the_environment(admin, anybody, monkeypatch):
    monkeypatch.setenv("RAFIKI_PASSWORD", "of the environment")
    monkeypatch.setenv("RAFIKI_EMAIL", "e@f")
    admin.on("POST /tokens", USER)
    done = anybody("login", "--json")
    assert admin.last.json == {"email": "e@f", "password": "of the environment"}
    assert done.json == {
        "server": f"http://127.0.0.1:{admin.port}",
        "email": "e@f",
        "id": "u1",
        "user_type": "MODEL_DEVELOPER",
    }


def test_the_password_is_asked_for_at_a_terminal(admin, anybody, monkeypatch):
    class Terminal:
        def isatty(self):
            return True

    admin.on("POST /tokens", USER)
    monkeypatch.setattr("rafiki.cli.login.sys.stdin", Terminal(), raising=False)
    monkeypatch.setattr("io.StringIO", lambda text: Terminal())
    monkeypatch.setattr("getpass.getpass", lambda prompt: f"asked by {prompt!r}")
    assert anybody("login", "--email", "a@b").status == 0
    assert admin.last.json["password"] == "asked by 'Password of a@b: '"


def test_no_password_and_a_wrong_one_are_failures(admin, anybody):
    done = anybody("login", "--email", "a@b")
    assert (done.status, done.err) == (
        1,
        "InvalidRequestError: there is no password\n  set RAFIKI_PASSWORD, or write it to standard input\n",
    )
    admin.refuse("POST /tokens", "InvalidUserError", "no user has this email and password", status=401)
    done = anybody("login", "--email", "a@b", stdin="wrong")
    assert (done.status, done.err) == (1, "InvalidUserError: no user has this email and password\n")
    assert not SignIns().path.exists()


def test_whoever_is_not_signed_in_is_told_how(admin, anybody):
    done = anybody("dataset", "list")
    assert done.status == 1
    assert done.err == (
        f"UnauthorizedError: you are not signed in at http://127.0.0.1:{admin.port}\n  rafiki login --email EMAIL\n"
    )
    assert admin.asked == []


def test_a_sign_in_that_is_over_says_so(admin, signed_in):
    admin.refuse("GET /datasets", "UnauthorizedError", "the token has expired", status=401, hint="sign in again")
    done = signed_in("dataset", "list")
    assert done.err == "UnauthorizedError: the token has expired\n  sign in: rafiki login --email EMAIL\n"


def test_later_commands_go_where_one_signed_in_last(admin, signed_in, monkeypatch):
    monkeypatch.delenv("RAFIKI_ADDR")
    monkeypatch.delenv("ADMIN_EXT_PORT")
    admin.on("GET /datasets", [])
    assert signed_in("dataset", "list").status == 0
    assert admin.last.token == "Bearer t0k"


@pytest.mark.parametrize("form", ["127.0.0.1:{}", "http://127.0.0.1:{}/"])
def test_the_server_may_be_named_by_a_flag(admin, anybody, monkeypatch, form):
    monkeypatch.setenv("ADMIN_EXT_PORT", "1")
    admin.on("POST /tokens", USER)
    server = form.format(admin.port)
    assert anybody("login", "--email", "a@b", "--server", server, stdin="pw").status == 0
    admin.on("GET /datasets", [])
    assert anybody("dataset", "list", "--server", server).status == 0
    done = anybody("dataset", "list", "--server", "ftp://x")
    assert done.err.startswith("InvalidRequestError: the server's address is 'ftp://x'")


def test_a_token_is_only_sent_to_the_server_it_is_of(admin, signed_in):
    done = signed_in("dataset", "list", "--server", "http://127.0.0.1:1")
    assert "you are not signed in at http://127.0.0.1:1" in done.err


def test_email_and_password_of_the_environment_sign_in_each_time(admin, signed_in, monkeypatch):
    monkeypatch.setenv("RAFIKI_EMAIL", "e@f")
    monkeypatch.setenv("RAFIKI_PASSWORD", "pw")
    admin.on("POST /tokens", {**USER, "token": "fresh"})
    admin.on("GET /datasets", [])
    signed_in("dataset", "list")
    assert admin.last.token == "Bearer fresh"
    monkeypatch.setenv("RAFIKI_TOKEN", "long")
    signed_in("dataset", "list")
    assert admin.last.token == "Bearer long"


def test_whoami(admin, signed_in):
    admin.on("GET /users/me", {"id": "u1", "email": "a@b", "user_type": "MODEL_DEVELOPER"})
    assert signed_in("whoami").out == f"a@b (MODEL_DEVELOPER) at http://127.0.0.1:{admin.port}\n"
    assert signed_in("whoami", "--json").json["id"] == "u1"


def test_logout_forgets(admin, signed_in):
    n_asked = len(admin.asked)
    assert signed_in("logout").out == f"Signed out at http://127.0.0.1:{admin.port}.\n"
    assert signed_in("dataset", "list").status == 1
    assert signed_in("logout").out.startswith("Nobody was signed in")
    assert len(admin.asked) == n_asked


def test_a_long_sign_in_is_a_token_that_logout_revokes(admin, anybody):
    admin.on("POST /tokens", USER)
    admin.on("POST /tokens/long_lived", {"id": "k1", "name": "n", "token": "months"})
    assert anybody("login", "--email", "a@b", "--days", "30", stdin="pw").status == 0
    assert admin.last.json["expires_in_days"] == 30
    admin.on("GET /datasets", [])
    anybody("dataset", "list")
    assert admin.last.token == "Bearer months"
    admin.on("DELETE /tokens/k1", {"id": "k1"})
    assert anybody("logout").status == 0
    assert (admin.last.method, admin.last.path, admin.last.token) == ("DELETE", "/tokens/k1", "Bearer months")


def test_logout_at_a_server_that_is_away_still_forgets(admin, anybody):
    admin.on("POST /tokens", USER)
    admin.on("POST /tokens/long_lived", {"id": "k1", "name": "n", "token": "months"})
    anybody("login", "--email", "a@b", "--days", "30", stdin="pw")
    admin.refuse("DELETE /tokens/k1", "InternalServerError", "broken", status=500)
    done = anybody("logout")
    assert done.status == 0
    assert "could not be revoked there: InternalServerError" in done.err
    assert SignIns().last is None


def test_sign_ins_of_several_servers(admin):
    kept = SignIns()
    kept.remember("http://a", {"token": "1"})
    kept.remember("http://b", {"token": "2"})
    assert (kept.last, kept.of("http://a"), kept.of("http://c")) == ("http://b", {"token": "1"}, None)
    assert kept.forget("http://b") == {"token": "2"}
    assert kept.last == "http://a"


def test_a_file_of_sign_ins_that_is_broken_is_named(anybody):
    config_dir().mkdir(parents=True)
    SignIns().path.write_text(json.dumps(["?"]))
    done = anybody("dataset", "list")
    assert done.status == 1
    assert f"InvalidSettingsError: {SignIns().path} is not what `rafiki login` wrote" in done.err


def test_the_configuration_folder(monkeypatch, tmp_path, config_home):
    assert config_dir() == config_home / "rafiki"
    monkeypatch.setenv("HOME", str(tmp_path))
    for none in ("", "relative"):
        monkeypatch.setenv("XDG_CONFIG_HOME", none)
        assert config_dir() == tmp_path / ".config" / "rafiki"
