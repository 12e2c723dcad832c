"""Models, and forms: what uploads take, what they leave, what is told of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rafiki.entities import Failure
from rafiki.settings import Settings
from rafiki.store import Store
from tests.unit.server.api import Api, NotedSupervision, World, ok, refused

CSV = b"a,b\r\n1,\xff\r\n"


def blobs_of(settings: Settings) -> list[Path]:
    return [path for path in settings.blobs_dir.rglob("*") if path.is_file()]


# Models -----------------------------------------------------------------------------------------------------------

SOURCE = b"class M:\n    pass\n"


def model_form(**fields: str) -> dict[str, str]:
    return {"name": "M", "task": "T", "model_class": "M"} | fields


async def create_model(api: Api, **fields: str) -> Any:
    return await api.post("/models", data=model_form(**fields), files={"model_file_bytes": ("../evil.py", SOURCE)})


async def test_a_model_is_taken_at_once_and_checked_later(
    developer: Api, supervision: NotedSupervision, store: Store
) -> None:
    created = await ok(create_model(developer, docker_image="image:1", dependencies='{"numpy": "1.0"}'))
    assert created == {"id": created["id"], "user_id": developer.user.id, "name": "M", "version": 1}
    assert supervision.n_wakes == 1

    model = await ok(developer.get(f"/models/{created['id']}"))
    assert (model["status"], model["error"], model["warnings"]) == ("CHECKING", None, [])
    assert (model["task"], model["model_class"], model["access_right"]) == ("T", "M", "PRIVATE")
    assert (model["docker_image"], model["dependencies"]) == ("image:1", {"numpy": "1.0"})

    file = await developer.get(f"/models/{created['id']}/model_file")
    assert (file.status_code, file.headers["content-type"], file.content) == (200, "application/octet-stream", SOURCE)

    store.catalog.set_model_invalid(created["id"], Failure("IMPORT_ERROR", "line 1 is wrong", "mend it"))
    model = await ok(developer.get(f"/models/{created['id']}"))
    assert model["status"] == "INVALID"
    assert model["error"] == {"code": "IMPORT_ERROR", "message": "line 1 is wrong", "hint": "mend it"}
    assert await ok(developer.get("/models/available")) == []
    assert [found["id"] for found in await ok(developer.get("/models"))] == [created["id"]]


@pytest.mark.parametrize("dependencies", ["", "null", "{}", None])
async def test_no_dependencies(developer: Api, dependencies: str | None) -> None:
    fields = {} if dependencies is None else {"dependencies": dependencies}
    created = await ok(create_model(developer, **fields))
    assert (await ok(developer.get(f"/models/{created['id']}")))["dependencies"] == {}


@pytest.mark.parametrize("dependencies", ["[]", "x", '"x"', "1", '{"a": 1}', '{"a": null}', '{"": "1"}', "[" * 9999])
async def test_dependencies_that_are_none(developer: Api, settings: Settings, dependencies: str) -> None:
    await refused(create_model(developer, dependencies=dependencies), 400, "InvalidModelError")
    assert blobs_of(settings) == []


@pytest.mark.parametrize("fields", [{"name": ""}, {"task": ""}, {"model_class": "no class"}, {"access_right": "MINE"}])
async def test_model_forms_that_are_refused(developer: Api, fields: dict[str, str]) -> None:
    assert next(iter(fields)) in await refused(create_model(developer, **fields), 400, "InvalidModelError")


async def test_a_model_needs_a_file(developer: Api) -> None:
    await refused(developer.post("/models", data=model_form()), 400, "InvalidModelError")
    empty = developer.post("/models", data=model_form(), files={"model_file_bytes": b""})
    await refused(empty, 400, "InvalidModelError")


async def test_a_models_name_is_unique_per_user(developer: Api, admin: Api) -> None:
    await ok(create_model(developer))
    await refused(create_model(developer), 409, "DuplicateModelNameError")
    await ok(create_model(admin))


async def test_which_models_are_available(developer: Api, app_developer: Api, admin: Api, world: World) -> None:
    world.model(developer, "private")
    public = world.model(developer, "public", access_right="PUBLIC")
    world.model(developer, "other", task="U", access_right="PUBLIC")
    [found] = await ok(app_developer.get("/models/available?task=T"))
    assert found["id"] == public.id
    assert {"user_id", "name", "task", "datetime_created", "dependencies", "access_right"} <= set(found)
    assert len(await ok(developer.get("/models/available"))) == 3
    assert len(await ok(admin.get("/models/available"))) == 2
    assert await ok(admin.get("/models")) == []


async def test_delete_a_model(developer: Api, admin: Api, world: World) -> None:
    model = world.model(developer)
    answer = await ok(developer.delete(f"/models/{model.id}"))
    assert answer == {"id": model.id, "user_id": developer.user.id, "name": model.name, "version": 1}
    await refused(developer.get(f"/models/{model.id}"), 404, "InvalidModelError")
    await refused(developer.delete(f"/models/{model.id}"), 404, "InvalidModelError")

    used = world.model(developer, "used")
    world.train_job(developer, model=used)
    assert "'app' (version 1)" in await refused(admin.delete(f"/models/{used.id}"), 409, "ModelUsedError")


async def test_versions_of_a_model(developer: Api) -> None:
    await ok(create_model(developer))
    assert "new_version" in await refused(create_model(developer), 409, "DuplicateModelNameError")
    await refused(create_model(developer, new_version="false"), 409, "DuplicateModelNameError")
    await refused(create_model(developer, new_version="maybe"), 400, "InvalidModelError")
    second = await ok(create_model(developer, new_version="true"))
    assert (second["name"], second["version"]) == ("M", 2)
    await refused(create_model(developer, new_version="1", task="U"), 400, "InvalidModelError")
    assert [model["version"] for model in await ok(developer.get("/models"))] == [1, 2]
    assert [model["version"] for model in await ok(developer.get("/models/available"))] == [2]


# Forms ------------------------------------------------------------------------------------------------------------


def multipart(*parts: tuple[str, bytes]) -> dict[str, Any]:
    """A form as some client might write it: the parts' headers and their order are given."""
    body = b"".join(b"--B\r\n" + head.encode() + b"\r\n\r\n" + data + b"\r\n" for head, data in parts) + b"--B--\r\n"
    return {"content": body, "headers": {"Content-Type": "multipart/form-data; boundary=B"}}


def field(name: str, more: str = "") -> str:
    return f'Content-Disposition: form-data; name="{name}"{more}'


async def test_the_file_may_come_first_and_be_named_anything(app_developer: Api) -> None:
    for more in ("", '; filename=""', '; filename="../../x"\r\nContent-Type: text/csv'):
        form = multipart((field("dataset", more), CSV), (field("task"), b"T"), (field("name"), "ä".encode()))
        created = await ok(app_developer.post("/datasets", **form))
        assert (created["name"], created["size_bytes"]) == ("ä", len(CSV))


async def test_an_urlencoded_form(developer: Api) -> None:
    created = await ok(developer.post("/datasets", data={"name": "a b&c=d", "task": "T", "dataset": "1,2"}))
    assert (created["name"], created["size_bytes"]) == ("a b&c=d", 3)
    form = model_form(model_file_bytes=SOURCE.decode(), dependencies=json.dumps({"x": "1"}))
    await ok(developer.post("/models", data=form))


@pytest.mark.parametrize(
    "form",
    [
        multipart((field("dataset"), CSV), (field("dataset"), CSV), (field("name"), b"d"), (field("task"), b"T")),
        multipart((field("name"), b"\xff"), (field("task"), b"T"), (field("dataset"), CSV)),
        multipart((field("name"), b"a\0b"), (field("task"), b"T"), (field("dataset"), CSV)),
        multipart(*[(field(f"f{i}"), b"") for i in range(200)]),
        {"content": b"--B\r\n" + field("dataset").encode() + b"\r\n\r\ndata", "headers": multipart()["headers"]},
        {"content": b"no form", "headers": multipart()["headers"]},
        {"content": b"x", "headers": {"Content-Type": "multipart/form-data"}},
        {"content": b"{}", "headers": {"Content-Type": "application/json"}},
    ],
    ids=["two files", "no UTF-8", "NUL", "many parts", "cut off", "no form", "no boundary", "JSON"],
)
async def test_broken_forms_leave_nothing(app_developer: Api, settings: Settings, form: dict[str, Any]) -> None:
    await refused(app_developer.post("/datasets", **form), 400, "InvalidRequestError")
    assert blobs_of(settings) == []


async def test_uploads_that_are_too_large(app_developer: Api, settings: Settings) -> None:
    form = {"name": "d", "task": "T"}
    large = b"x" * (settings.max_upload_bytes + 1)
    await refused(app_developer.post("/datasets", data=form, files={"dataset": large}), 413, "PayloadTooLargeError")

    async def undeclared() -> Any:
        whole = multipart((field("dataset"), large))
        for start in range(0, len(large), 65536):
            yield whole["content"][start : start + 65536]

    chunked = app_developer.post("/datasets", content=undeclared(), headers=multipart()["headers"])
    await refused(chunked, 413, "PayloadTooLargeError")
    long_text = app_developer.post("/datasets", data=form | {"name": "x" * 2**21}, files={"dataset": CSV})
    await refused(long_text, 413, "PayloadTooLargeError")
    assert blobs_of(settings) == []
