"""Signing in, tokens for scripts, disk use; creating, listing and banning users."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fastapi import FastAPI

from rafiki.settings import Settings
from rafiki.store import Store
from tests.unit.server.api import Api, World, ok, refused
from tests.unit.server.conftest import PASSWORD


def new_user(email: str = "ada@rafiki", user_type: str = "APP_DEVELOPER", password: str = PASSWORD) -> dict[str, str]:
    return {"email": email, "password": password, "user_type": user_type}


async def test_sign_in(nobody: Api, app: FastAPI, developer: Api) -> None:
    signed_in = await ok(nobody.post("/tokens", json={"email": "Model_Developer@RAFIKI", "password": PASSWORD}))
    assert signed_in["user_id"] == developer.user.id
    assert signed_in["user_type"] == "MODEL_DEVELOPER"
    await ok(Api(app, signed_in["token"]).get("/datasets"))


async def test_sign_in_with_a_form(nobody: Api, developer: Api) -> None:
    credentials = {"email": developer.user.email, "password": PASSWORD}
    await ok(nobody.post("/tokens", data=credentials))
    await ok(nobody.post("/tokens", data=credentials, files={"ignored": b"x"}))


async def test_unknown_user_and_wrong_password_look_alike(nobody: Api, developer: Api) -> None:
    unknown = await refused(nobody.post("/tokens", json={"email": "x@y", "password": "p"}), 401, "InvalidUserError")
    wrong_password = {"email": developer.user.email, "password": "wrong"}
    assert await refused(nobody.post("/tokens", json=wrong_password), 401, "InvalidUserError") == unknown


async def test_a_banned_user_cannot_sign_in(nobody: Api, developer: Api, store: Store) -> None:
    store.users.ban(developer.user.id)
    credentials = {"email": developer.user.email, "password": PASSWORD}
    await refused(nobody.post("/tokens", json=credentials), 403, "UnauthorizedError")
    await refused(nobody.post("/tokens", json={**credentials, "password": "wrong"}), 401, "InvalidUserError")


async def test_the_database_holds_neither_token_nor_password(
    nobody: Api, admin: Api, settings: Settings, store: Store
) -> None:
    await ok(admin.post("/users", json=new_user(password="a secret to keep")))
    signed_in = await ok(nobody.post("/tokens", json={"email": "ada@rafiki", "password": "a secret to keep"}))
    store.close()
    database = b"".join(path.read_bytes() for path in settings.data_dir.glob("rafiki.db*"))
    assert b"ada@rafiki" in database
    assert b"a secret to keep" not in database
    assert signed_in["token"].encode() not in database


async def test_create_user(admin: Api) -> None:
    created = await ok(admin.post("/users", json=new_user()))
    assert {**created, "id": ""} == {"id": "", "email": "ada@rafiki", "user_type": "APP_DEVELOPER", "banned_date": None}
    await refused(admin.post("/users", json=new_user("ADA@rafiki")), 409, "UserExistsError")
    listed = await ok(admin.get("/users"))
    assert created in listed
    assert {user["email"] for user in listed} == {"admin@rafiki", "ada@rafiki"}


@pytest.mark.parametrize("email", ["", "no-at", "two@at@signs", "x" * 250 + "@long", "nul\0@x"])
async def test_what_is_no_email(admin: Api, email: str) -> None:
    await refused(admin.post("/users", json=new_user(email)), 400, "InvalidUserError")


@pytest.mark.parametrize("email", ["@", "x@rafiki", "grüße@例え", "with space@x", "x" * 248 + "@rafik"])
async def test_what_is_an_email(nobody: Api, admin: Api, email: str) -> None:
    await ok(admin.post("/users", json=new_user(email)))
    await ok(nobody.post("/tokens", json={"email": email, "password": PASSWORD}))


async def test_an_empty_password_is_refused(admin: Api) -> None:
    await refused(admin.post("/users", json=new_user(password="")), 400, "InvalidUserError")


async def test_who_creates_whom(superadmin: Api, admin: Api) -> None:
    await ok(superadmin.post("/users", json=new_user("a@b", "ADMIN")))
    await refused(admin.post("/users", json=new_user("c@d", "ADMIN")), 403, "UnauthorizedError")
    for api in (superadmin, admin):
        await refused(api.post("/users", json=new_user("c@d", "SUPERADMIN")), 403, "UnauthorizedError")
        assert "APP_DEVELOPER" in await refused(api.post("/users", json=new_user("c@d", "X")), 400, "InvalidUserError")


async def test_who_bans_whom(superadmin: Api, admin: Api, developer: Api, sign_in: Callable[..., Api]) -> None:
    other_admin = sign_in("ADMIN", "other-admin@rafiki")

    async def ban(by: Api, email: str) -> object:
        return await by.request("DELETE", "/users", json={"email": email})

    for by, email in ((admin, "superadmin@rafiki"), (admin, "other-admin@rafiki"), (admin, "admin@rafiki")):
        await refused(ban(by, email), 403, "UnauthorizedError")
    await refused(ban(superadmin, "superadmin@rafiki"), 403, "UnauthorizedError")
    await refused(ban(admin, "nobody@rafiki"), 404, "InvalidUserError")

    banned = await ok(ban(admin, "MODEL_DEVELOPER@rafiki"))
    assert banned["id"] == developer.user.id
    assert banned["banned_date"].endswith("Z")
    await refused(ban(admin, developer.user.email), 409, "UserAlreadyBannedError")
    await ok(ban(superadmin, other_admin.user.email))


# Passwords ----------------------------------------------------------------------------------------------------------


async def test_who_changes_a_password_ends_all_other_tokens(nobody: Api, app: FastAPI, developer: Api) -> None:
    email = developer.user.email
    elsewhere = Api(app, (await ok(nobody.post("/tokens", json={"email": email, "password": PASSWORD})))["token"])
    script = Api(app, (await ok(elsewhere.post("/tokens/long_lived", json={"name": "nightly"})))["token"])
    change = {"current_password": PASSWORD, "password": "another"}
    changed = await ok(developer.put("/users/me/password", json=change))
    assert changed == await ok(developer.get("/users/me"))
    for ended in (elsewhere, script):
        await refused(ended.get("/users/me"), 401, "UnauthorizedError")
    assert await ok(developer.get("/tokens")) == []
    await refused(nobody.post("/tokens", json={"email": email, "password": PASSWORD}), 401, "InvalidUserError")
    await ok(nobody.post("/tokens", json={"email": email, "password": "another"}))


async def test_a_change_that_is_refused_changes_nothing(nobody: Api, app: FastAPI, developer: Api) -> None:
    script = Api(app, (await ok(developer.post("/tokens/long_lived", json={"name": "nightly"})))["token"])
    for current, new, status in (("wrong", "another", 403), ("", "another", 403), (PASSWORD, "", 400)):
        change = {"current_password": current, "password": new}
        await refused(developer.put("/users/me/password", json=change), status, "InvalidUserError")
    await refused(developer.put("/users/me/password", json={"password": "x"}), 400, "InvalidRequestError")
    await ok(script.get("/users/me"))
    await ok(nobody.post("/tokens", json={"email": developer.user.email, "password": PASSWORD}))


async def test_an_admin_resets_a_password(nobody: Api, admin: Api, developer: Api) -> None:
    reset = {"email": developer.user.email.upper(), "password": "another"}
    assert (await ok(admin.put("/users/password", json=reset)))["id"] == developer.user.id
    await refused(developer.get("/users/me"), 401, "UnauthorizedError")
    await ok(nobody.post("/tokens", json=reset))
    await refused(admin.put("/users/password", json={**reset, "password": ""}), 400, "InvalidUserError")
    await refused(admin.put("/users/password", json={**reset, "email": "x@y"}), 404, "InvalidUserError")


async def test_who_resets_whose_password(
    superadmin: Api, admin: Api, developer: Api, sign_in: Callable[..., Api]
) -> None:
    other_admin = sign_in("ADMIN", "other-admin@rafiki")
    for by, whose in ((admin, other_admin), (admin, superadmin), (admin, admin), (superadmin, superadmin)):
        reset = {"email": whose.user.email, "password": "another"}
        await refused(by.put("/users/password", json=reset), 403, "UnauthorizedError")
        await ok(whose.get("/users/me"))
    reset = {"email": other_admin.user.email, "password": "another"}
    await refused(developer.put("/users/password", json=reset), 403, "UnauthorizedError")
    await ok(superadmin.put("/users/password", json=reset))


async def test_the_file_with_the_first_password_goes_with_it(
    superadmin: Api, developer: Api, settings: Settings
) -> None:
    path = settings.data_dir / "superadmin_password"
    path.write_text(PASSWORD)
    change = {"current_password": PASSWORD, "password": "another"}
    await ok(developer.put("/users/me/password", json=change))
    assert path.exists()
    await ok(superadmin.put("/users/me/password", json=change))
    assert not path.exists()


# Tokens for scripts -------------------------------------------------------------------------------------------------


async def test_the_life_of_a_long_lived_token(app: FastAPI, developer: Api, admin: Api) -> None:
    created = await ok(developer.post("/tokens/long_lived", json={"name": "nightly"}))
    assert (created["name"], created["expires_at"]) == ("nightly", None)
    script = Api(app, created["token"])
    assert (await ok(script.get("/users/me")))["id"] == developer.user.id
    short = await ok(developer.post("/tokens/long_lived", json={"name": "short", "expires_in_days": 0.5}))
    assert short["expires_at"].endswith("Z")
    listed = await ok(script.get("/tokens"))
    assert [token["name"] for token in listed] == ["nightly", "short"]
    assert all("token" not in token for token in listed)
    await refused(admin.delete(f"/tokens/{created['id']}"), 404, "InvalidTokenError")
    revoked = await ok(developer.delete(f"/tokens/{created['id']}"))
    assert revoked["id"] == created["id"]
    await refused(script.get("/users/me"), 401, "UnauthorizedError")
    await refused(developer.delete(f"/tokens/{created['id']}"), 404, "InvalidTokenError")
    assert [token["name"] for token in await ok(developer.get("/tokens"))] == ["short"]


@pytest.mark.parametrize("body", [{}, {"name": ""}, {"name": "x", "expires_in_days": 0}, {"name": "x" * 1001}])
async def test_long_lived_tokens_that_are_refused(developer: Api, body: dict[str, object]) -> None:
    await refused(developer.post("/tokens/long_lived", json=body), 400, "InvalidRequestError")
    assert await ok(developer.get("/tokens")) == []


# Disk use -----------------------------------------------------------------------------------------------------------


async def test_what_a_user_takes_of_the_disk(developer: Api, app_developer: Api, admin: Api, world: World) -> None:
    world.trial(world.train_job(developer), 1, 0.5, b"params")
    usage = await ok(developer.get("/users/me/usage"))
    assert usage == {
        "datasets_bytes": 8,
        "splits_bytes": 0,
        "models_bytes": len(b"class M: pass\n"),
        "params_bytes": len(b"params"),
        "logs_bytes": 0,
        "total_bytes": 28,
    }
    assert await ok(admin.get(f"/users/{developer.user.id}/usage")) == usage
    assert (await ok(app_developer.get("/users/me/usage")))["total_bytes"] == 0
    await refused(app_developer.get(f"/users/{developer.user.id}/usage"), 403, "UnauthorizedError")
    await refused(admin.get("/users/nobody/usage"), 404, "InvalidUserError")
