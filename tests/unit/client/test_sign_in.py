"""Sign-ins that are renewed, and long-lived tokens."""

from __future__ import annotations

import pytest

from rafiki.client import Client, RafikiConnectionError


@pytest.fixture
def signed_in(admin, client):
    tokens = iter(f"token-{no}" for no in range(1, 9))
    admin.on("POST /tokens", lambda asked: (200, {"user_id": "u", "user_type": "ADMIN", "token": next(tokens)}))
    client.login("a@b", "pw")
    return client


def test_a_sign_in_is_renewed_before_it_ends(admin, signed_in, fake_time):
    admin.on("GET /users", [])
    fake_time.sleep(2900)
    signed_in.get_users()
    assert admin.last.token == "Bearer token-1"
    fake_time.sleep(500)
    signed_in.get_users()
    assert admin.last.token == "Bearer token-2"
    assert admin.asked[-2].json == {"email": "a@b", "password": "pw"}
    assert admin.asked[-2].token is None
    fake_time.sleep(500)
    signed_in.get_users()
    assert admin.last.token == "Bearer token-2"  # as old as the new one


def test_a_sign_in_that_ended_earlier_is_renewed_and_the_call_made_again(admin, signed_in, tmp_path):
    (tmp_path / "data").write_bytes(b"data")

    def answer(asked):
        if asked.token == "Bearer token-1":
            return 401, {"error": "UnauthorizedError", "message": "the token has expired"}
        return 200, {"id": "d"}

    admin.on("POST /datasets", answer)
    assert signed_in.create_dataset("n", "t", tmp_path / "data") == {"id": "d"}
    assert [asked.path for asked in admin.asked[-3:]] == ["/datasets", "/tokens", "/datasets"]
    assert admin.last.form["dataset"] == b"data"


def test_a_renewal_that_is_refused_says_why(admin, signed_in):
    admin.refuse("GET /users", "UnauthorizedError", "its user is banned", status=401)
    admin.refuse("POST /tokens", "UnauthorizedError", "a@b is banned", status=403)
    with pytest.raises(RafikiConnectionError, match="a@b is banned"):
        signed_in.get_users()


def test_after_a_change_of_password_the_sign_in_is_renewed_with_the_new_one(admin, signed_in, fake_time):
    admin.on("PUT /users/me/password", {"id": "u"})
    assert signed_in.change_password("pw", "new") == {"id": "u"}
    assert admin.last.json == {"current_password": "pw", "password": "new"}
    admin.on("GET /users", [])
    fake_time.sleep(3400)
    signed_in.get_users()
    assert admin.asked[-2].json == {"email": "a@b", "password": "new"}


def test_a_refused_change_of_password_changes_nothing_here(admin, signed_in, fake_time):
    admin.refuse("PUT /users/me/password", "InvalidUserError", "the current password is another", status=403)
    with pytest.raises(RafikiConnectionError, match="is another"):
        signed_in.change_password("wrong", "new")
    admin.on("GET /users", [])
    fake_time.sleep(3400)
    signed_in.get_users()
    assert admin.asked[-2].json["password"] == "pw"


def test_a_reset_of_a_password(admin, signed_in):
    admin.on("PUT /users/password", {"id": "u2"})
    assert signed_in.reset_password("x@y", "new") == {"id": "u2"}
    assert admin.last.json == {"email": "x@y", "password": "new"}


def test_what_is_forbidden_is_not_tried_again(admin, signed_in):
    admin.refuse("GET /users", "UnauthorizedError", "not for you", status=403)
    n_before = len(admin.asked)
    with pytest.raises(RafikiConnectionError, match="not for you"):
        signed_in.get_users()
    assert len(admin.asked) == n_before + 1


def test_a_wrong_password_is_not_tried_again(admin, client):
    admin.refuse("POST /tokens", "InvalidUserError", "no user has this email and password", status=401)
    with pytest.raises(RafikiConnectionError, match="InvalidUserError"):
        client.login("a@b", "wrong")
    assert len(admin.asked) == 1
    assert client.get_current_user() is None


def test_after_logout_nothing_is_renewed(admin, signed_in):
    signed_in.logout()
    admin.refuse("GET /users", "UnauthorizedError", "this needs a token", status=401)
    with pytest.raises(RafikiConnectionError, match="needs a token"):
        signed_in.get_users()
    assert admin.last.path == "/users"


def test_secrets_do_not_show(signed_in):
    assert "pw" not in repr(signed_in) + repr(vars(signed_in))
    assert "token-1" not in repr(signed_in) + repr(vars(signed_in))


@pytest.mark.parametrize("way", ["argument", "environment"])
def test_a_long_lived_token_is_as_good_as_a_sign_in(admin, monkeypatch, way):
    if way == "environment":
        monkeypatch.setenv("RAFIKI_TOKEN", "long")
    with Client("127.0.0.1", admin.port, token="long" if way == "argument" else None) as client:
        assert "signed in by a token" in repr(client)
        admin.on("GET /users/me", {"id": "u1", "email": "a@b", "user_type": "ADMIN"})
        assert client.get_current_user() == {"id": "u1", "user_type": "ADMIN"}
        assert admin.last.token == "Bearer long"
        client.get_current_user()
        assert len(admin.asked) == 1
        assert "signed in as ADMIN u1" in repr(client)
        admin.refuse("GET /users", "UnauthorizedError", "the token has expired", status=401)
        with pytest.raises(RafikiConnectionError, match="expired"):
            client.get_users()


def test_calls_about_tokens_and_usage(admin, signed_in):
    admin.on("POST /tokens/long_lived", {"id": "k", "name": "ci", "token": "secret"})
    assert signed_in.create_token("ci")["token"] == "secret"
    assert admin.last.json == {"name": "ci"}
    signed_in.create_token("ci", expires_in_days=30)
    assert admin.last.json == {"name": "ci", "expires_in_days": 30}
    admin.on("GET /tokens", [{"id": "k", "name": "ci"}])
    assert signed_in.get_tokens() == [{"id": "k", "name": "ci"}]
    admin.on("DELETE /tokens/k", {"id": "k"})
    assert signed_in.revoke_token("k") == {"id": "k"}
    admin.on("GET /users/me/usage", {"datasets": 1})
    assert signed_in.get_usage() == {"datasets": 1}
    admin.on("GET /users/u2/usage", {"datasets": 2})
    assert signed_in.get_usage("u2") == {"datasets": 2}
