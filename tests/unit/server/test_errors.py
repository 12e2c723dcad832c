"""Every error, whoever raises it, is JSON with a name and a message."""

from __future__ import annotations

import logging

import pytest
from fastapi import FastAPI

from rafiki.server.bodies import MAX_JSON_BYTES
from rafiki.store import Store
from tests.unit.server.api import Api, ok, refused


async def test_up(nobody: Api) -> None:
    response = await nobody.get("/")
    assert (response.status_code, response.headers["content-type"]) == (200, "text/plain")
    assert response.text.strip()


@pytest.mark.parametrize("path", ["/nothing", "/users/", "/tokens/", "/train_jobs/app/1/", "//", "/train_jobs/a/1/x"])
async def test_unknown_paths_and_trailing_slashes_are_404_and_no_redirects(developer: Api, path: str) -> None:
    await refused(developer.get(f"http://rafiki{path}"), 404, "NotFoundError")


async def test_a_known_path_with_another_method(developer: Api) -> None:
    response = await developer.put("/users")
    assert "Allow" in response.headers
    await refused(developer.put("/users"), 405, "MethodNotAllowedError")


async def test_401_says_how_to_get_in(nobody: Api) -> None:
    response = await nobody.get("/datasets")
    assert response.headers["WWW-Authenticate"] == "Bearer"


JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{broken", "not JSON"),
        (b"", "missing"),
        (b"null", ""),
        (b"[]", ""),
        (b'"text"', ""),
        (b"{}", "email is missing"),
        (b'{"email": 1, "password": "x"}', "email"),
        (b'{"email": "a\\ud800@b", "password": "x"}', "email"),
        (b"\xff\xfe\x00\x01", ""),
        (b"[" * 100_000, ""),
    ],
)
async def test_bodies_that_are_not_what_is_asked(nobody: Api, body: bytes, said: str) -> None:
    message = await refused(nobody.post("/tokens", content=body, headers=JSON), 400, "InvalidRequestError")
    assert said in message


async def test_json_without_a_content_type(nobody: Api) -> None:
    body = b'{"email": "nobody@x", "password": "x"}'
    await refused(nobody.post("/tokens", content=body), 401, "InvalidUserError")


async def test_a_body_that_is_too_large(nobody: Api) -> None:
    await refused(
        nobody.post("/tokens", content=b" " * (MAX_JSON_BYTES + 1), headers=JSON), 413, "PayloadTooLargeError"
    )


@pytest.mark.parametrize("params", [{"limit": "x"}, {"limit": "-1"}, {"type": "worst"}, {"max_count": "1.5"}])
async def test_bad_query_parameters_are_named(developer: Api, params: dict[str, str]) -> None:
    answer = developer.get("/train_jobs/app/1/trials", params=params)
    assert next(iter(params)) in await refused(answer, 400, "InvalidRequestError")


async def test_empty_query_parameters_are_absent(developer: Api) -> None:
    assert await ok(developer.get("/train_jobs/app/1/trials?type=&max_count=&limit=&offset=")) == []


async def test_what_nobody_foresaw_is_logged_and_tells_nothing(
    developer: Api, store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*args: object) -> None:
        raise RuntimeError("a secret inside")

    monkeypatch.setattr(store.catalog, "list_datasets", fail)
    with caplog.at_level(logging.ERROR):
        message = await refused(developer.get("/datasets"), 500, "InternalServerError")
    assert "secret" not in message
    assert "Traceback" not in message
    incident = message.split()[-1]
    assert incident in caplog.text
    assert "a secret inside" in caplog.text


async def test_the_description_tells_of_errors_and_tokens(nobody: Api, app: FastAPI) -> None:
    document = await ok(nobody.get("/openapi.json"))
    create = document["paths"]["/train_jobs"]["post"]
    assert create["security"] == [{"token": []}]
    assert set(create["responses"]) == {"200", "4XX", "5XX"}
    assert "security" not in document["paths"]["/tokens"]["post"]
    upload = document["paths"]["/datasets"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert set(upload["properties"]) == {"name", "task", "dataset_url", "labels", "dataset"}
    file = document["paths"]["/trials/{trial_id}/parameters"]["get"]["responses"]["200"]["content"]
    assert set(file) == {"application/octet-stream"}
