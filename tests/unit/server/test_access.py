"""Who may do what, for every route there is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRouter

from rafiki.server.access import RULES, USERS, GuardedRoute, guarded_router
from rafiki.server.auth import hash_token
from rafiki.server.routes import (
    catalog,
    datasets,
    environments,
    inference_jobs,
    platform,
    train_jobs,
    trials,
    users,
)
from rafiki.store import Store
from tests.unit.server.api import Api, NotedSupervision, World, ok, refused

ROUTERS: list[APIRouter] = [
    noun.router for noun in (platform, users, datasets, catalog, environments, train_jobs, trials, inference_jobs)
]
ROUTES = [route for router in ROUTERS for route in router.routes]
SIGNED_IN_RULES = [(method, path) for (method, path), rule in RULES.items() if rule.who is not None]


def address(path: str) -> str:
    names = {"app": "app", "version": "-1", "model_id": "m", "trial_id": "t", "dataset_id": "d", "token_id": "k"}
    names["environment_id"] = "e"
    return path.format(**names, user_id="me") if "{" in path else path


def test_every_route_has_a_rule_and_every_rule_a_route(app: FastAPI) -> None:
    assert all(isinstance(route, GuardedRoute) for route in ROUTES)
    of_routes = {(method, route.path) for route in ROUTES for method in route.methods or ()}  # type: ignore[attr-defined]
    assert of_routes == set(RULES)
    described = {(method.upper(), path) for path, calls in app_paths(app).items() for method in calls}
    assert described == set(RULES)


def app_paths(app: FastAPI) -> dict[str, dict[str, object]]:
    from rafiki.server.openapi import describe

    paths: dict[str, dict[str, object]] = describe(app)["paths"]
    return paths


def test_a_route_without_a_rule_cannot_be_made() -> None:
    with pytest.raises(KeyError):
        guarded_router("new").get("/secrets")(dict)


async def test_nobody_gets_in_without_a_good_token(nobody: Api) -> None:
    for method, path in SIGNED_IN_RULES:
        await refused(nobody.request(method, address(path)), 401, "UnauthorizedError")
        for authorization in ("Bearer", "Bearer nonsense", "Basic abc", "nonsense"):
            answer = nobody.request(method, address(path), headers={"Authorization": authorization})
            await refused(answer, 401, "UnauthorizedError")


@pytest.mark.parametrize("user_type", sorted(USERS))
async def test_which_routes_a_user_type_may_call(sign_in: Callable[..., Api], user_type: str) -> None:
    api = sign_in(user_type)
    for method, path in SIGNED_IN_RULES:
        answer = api.request(method, address(path))
        if user_type in (RULES[method, path].who or ()):
            response = await answer
            assert response.status_code not in (401, 403), (method, path, response.text)
        else:
            await refused(answer, 403, "UnauthorizedError")


async def test_a_refusal_comes_before_the_body_is_looked_at(nobody: Api, app_developer: Api) -> None:
    await refused(nobody.post("/train_jobs", content=b"{broken"), 401, "UnauthorizedError")
    await refused(app_developer.post("/models", content=b"{broken"), 403, "UnauthorizedError")


async def test_a_token_lasts_until_it_expires(app: FastAPI, store: Store, developer: Api) -> None:
    store.users.add_token(developer.user.id, hash_token("old"), datetime.now(UTC) - timedelta(seconds=1))
    await refused(Api(app, "old").get("/datasets"), 401, "UnauthorizedError")


async def test_a_ban_takes_effect_at_once(admin: Api, developer: Api) -> None:
    await ok(developer.get("/datasets"))
    await ok(admin.request("DELETE", "/users", json={"email": developer.user.email}))
    await refused(developer.get("/datasets"), 401, "UnauthorizedError")


# Ownership --------------------------------------------------------------------------------------------------------


async def test_a_private_model_is_there_for_its_owner_and_admins(
    developer: Api, admin: Api, app_developer: Api, sign_in: Callable[..., Api], world: World
) -> None:
    model = world.model(developer)
    other_developer = sign_in("MODEL_DEVELOPER", "other@rafiki")
    for path in (f"/models/{model.id}", f"/models/{model.id}/model_file"):
        for api in (developer, admin):
            assert (await api.get(path)).status_code == 200
        for api in (app_developer, other_developer):
            await refused(api.get(path), 404, "InvalidModelError")
    await refused(app_developer.delete(f"/models/{model.id}"), 404, "InvalidModelError")


async def test_a_public_model_is_known_to_all_but_its_owners_to_look_into(
    developer: Api, app_developer: Api, world: World
) -> None:
    model = world.model(developer, access_right="PUBLIC")
    assert [found["id"] for found in await ok(app_developer.get("/models/available"))] == [model.id]
    await refused(app_developer.get(f"/models/{model.id}"), 403, "UnauthorizedError")
    await refused(app_developer.delete(f"/models/{model.id}"), 403, "UnauthorizedError")


async def test_jobs_and_trials_are_their_owners(
    developer: Api, app_developer: Api, admin: Api, supervision: NotedSupervision, world: World
) -> None:
    job = world.train_job(developer)
    trial = world.trial(job, 1, 0.5, b"params")
    for path in (f"/trials/{trial.id}", f"/trials/{trial.id}/logs", f"/trials/{trial.id}/parameters"):
        assert (await developer.get(path)).status_code == 200
        assert (await admin.get(path)).status_code == 200
        await refused(app_developer.get(path), 404, "InvalidTrialError")
    await refused(app_developer.get("/train_jobs/app/1"), 404, "InvalidTrainJobError")
    await refused(app_developer.post("/train_jobs/app/-1/stop"), 404, "InvalidTrainJobError")
    assert await ok(app_developer.get("/train_jobs/app")) == []
    assert await ok(app_developer.get("/train_jobs/app/1/trials")) == []
    assert supervision.stopped == []


@pytest.mark.parametrize("jobs", ["/train_jobs", "/inference_jobs"])
async def test_whose_jobs_one_may_list(jobs: str, developer: Api, app_developer: Api, admin: Api, world: World) -> None:
    world.train_job(developer)
    n = 1 if jobs == "/train_jobs" else 0
    of_developer = {"user_id": developer.user.id}
    assert len(await ok(developer.get(jobs, params=of_developer))) == n
    assert len(await ok(developer.get(jobs))) == n
    assert len(await ok(developer.get(jobs, params={"user_id": ""}))) == n
    assert len(await ok(admin.get(jobs, params=of_developer))) == n
    assert await ok(admin.get(jobs)) == []
    await refused(app_developer.get(jobs, params=of_developer), 403, "UnauthorizedError")
