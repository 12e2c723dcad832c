"""Datasets: what uploads take, what is told of them, and what their background checks find."""

from __future__ import annotations

import base64
import io
import json
import uuid
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from rafiki.entities import Failure
from rafiki.server.dataset_check import DatasetChecks
from rafiki.settings import Settings
from rafiki.store import Store
from tests.unit.server.api import Api, NotedSupervision, World, ok, refused

CSV = b"a,b\r\n1,\xff\r\n"
TABLE = b"age,sex,survived\n22,m,0\n38,f,1\n,f,1\n35,m,0\n"


def blobs_of(settings: Settings) -> list[Path]:
    return [path for path in settings.blobs_dir.rglob("*") if path.is_file()]


def image_files(image: bytes | None = None) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4)).save(buffer, "png")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("images.csv", "path,class\n0.png,0\n1.png,1\n")
        for name in ("0.png", "1.png"):
            file.writestr(name, buffer.getvalue() if image is None else image)
    return archive.getvalue()


async def test_a_dataset_of_a_custom_task_is_taken_as_it_is(app_developer: Api, store: Store) -> None:
    task = str(uuid.uuid4())
    created = await ok(app_developer.post("/datasets", data={"name": "d", "task": task}, files={"dataset": CSV}))
    assert {**created, "id": "", "datetime_created": ""} == {
        "id": "",
        "user_id": app_developer.user.id,
        "name": "d",
        "task": task,
        "size_bytes": len(CSV),
        "labels": None,
        "status": "CHECKING",
        "error": None,
        "warnings": [],
        "datetime_created": "",
    }
    assert str(uuid.UUID(created["id"])) == created["id"]
    assert created["datetime_created"].endswith("Z")
    dataset = store.catalog.get_dataset(created["id"])
    assert dataset is not None
    assert store.blobs.path(dataset.blob_hash).read_bytes() == CSV


async def test_datasets_are_listed_by_task_for_their_owner(app_developer: Api, developer: Api) -> None:
    for task in ("A", "B"):
        await ok(app_developer.post("/datasets", data={"name": "d", "task": task}, files={"dataset": CSV}))
    assert len(await ok(app_developer.get("/datasets"))) == 2
    assert len(await ok(app_developer.get("/datasets?task="))) == 2
    assert [found["task"] for found in await ok(app_developer.get("/datasets?task=B"))] == ["B"]
    assert await ok(developer.get("/datasets")) == []


async def test_what_can_be_seen_at_once_is_refused_at_once(
    app_developer: Api, settings: Settings, supervision: NotedSupervision
) -> None:
    form = {"name": "d", "task": "IMAGE_CLASSIFICATION"}
    message = await refused(
        app_developer.post("/datasets", data=form, files={"dataset": ("x.zip", b"no zip")}), 400, "InvalidDatasetError"
    )
    assert "zip" in message
    assert str(settings.data_dir) not in message
    assert blobs_of(settings) == []
    assert supervision.n_wakes == 0
    await ok(app_developer.post("/datasets", data=form, files={"dataset": image_files()}))
    assert supervision.n_wakes == 1


@pytest.mark.parametrize(
    ("form", "missing"),
    [({"name": "d", "task": "T"}, "dataset"), ({"name": "d"}, "task"), ({"task": "T", "name": ""}, "name")],
)
async def test_a_dataset_form_that_lacks_something(
    app_developer: Api, settings: Settings, form: dict[str, str], missing: str
) -> None:
    for files in (None, {"dataset": CSV} if missing != "dataset" else {"other": CSV}):
        answer = app_developer.post("/datasets", data=form, files=files)
        assert missing in await refused(answer, 400, "InvalidDatasetError")
    assert blobs_of(settings) == []


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://x/y", "http://", "nonsense", "http://127.0.0.1:1/x", "\\"]
)
async def test_urls_that_cannot_be_fetched(app_developer: Api, settings: Settings, url: str) -> None:
    form = {"name": "d", "task": "T", "dataset_url": url}
    await refused(app_developer.post("/datasets", data=form), 400, "InvalidDatasetError")
    assert blobs_of(settings) == []


# Labels -----------------------------------------------------------------------------------------------------------


async def upload(api: Api, task: str, content: bytes, **fields: str) -> Any:
    return await ok(api.post("/datasets", data={"name": "d", "task": task} | fields, files={"dataset": content}))


async def test_labels_show_with_the_dataset_and_the_apps_made_from_it(
    app_developer: Api, developer: Api, world: World, store: Store
) -> None:
    labels = ["cat", "dög"]
    created = await upload(app_developer, "T", CSV, labels=json.dumps(labels))
    assert created["labels"] == labels
    model = world.model(app_developer)
    body = {"app": "a", "task": "T", "train_dataset_id": created["id"], "val_dataset_id": created["id"]}
    await ok(app_developer.post("/train_jobs", json=body | {"model_ids": [model.id]}))
    job = await ok(app_developer.get("/train_jobs/a/-1"))
    assert (job["labels"], job["split"]) == (labels, None)
    found = store.train_jobs.get(job["id"])
    assert found is not None
    world.trial(found, 1, 0.5, b"params")
    store.train_jobs.stop(job["id"])
    await ok(app_developer.post("/inference_jobs", json={"app": "a"}))
    deployed = await ok(app_developer.get("/inference_jobs/a/-1"))
    assert (deployed["labels"], deployed["score"], deployed["score_on"], deployed["n_scored"]) == (
        labels,
        None,
        None,
        None,
    )
    assert [listed["labels"] for listed in await ok(app_developer.get("/inference_jobs/a"))] == [labels]


async def test_classes_are_named_anew(app_developer: Api, developer: Api, admin: Api, checks: DatasetChecks) -> None:
    created = await upload(app_developer, "IMAGE_CLASSIFICATION", image_files(), labels='["zero"]')
    address = f"/datasets/{created['id']}/labels"
    assert len((await checked(app_developer, checks, created["id"]))["warnings"]) == 1
    named = await ok(app_developer.put(address, json={"labels": ["cat", "dog"]}))
    assert (named["labels"], named["warnings"]) == (["cat", "dog"], [])
    assert (await ok(admin.put(address, json={"labels": ["cat"]})))["warnings"] != []
    await refused(developer.put(address, json={"labels": None}), 404, "InvalidDatasetError")
    for wrong in ([1], "cat", {}, ["x" * 1001], ["\0"]):
        assert "labels" in await refused(app_developer.put(address, json={"labels": wrong}), 400, "InvalidDatasetError")
    assert (await ok(app_developer.get(f"/datasets/{created['id']}")))["labels"] == ["cat"]
    assert (await ok(app_developer.put(address, json={"labels": None})))["labels"] is None


@pytest.mark.parametrize("labels", ["[1]", "{}", "[", '"x"', '["\\u0000"]', '["\\ud800"]', json.dumps(["x" * 1001])])
async def test_labels_that_are_none(app_developer: Api, settings: Settings, labels: str) -> None:
    form = {"name": "d", "task": "T", "labels": labels}
    answer = app_developer.post("/datasets", data=form, files={"dataset": CSV})
    assert "labels" in await refused(answer, 400, "InvalidDatasetError")
    assert blobs_of(settings) == []


# The check of all of it ---------------------------------------------------------------------------------------------


@pytest.fixture
async def checks(settings: Settings, store: Store) -> AsyncIterator[DatasetChecks]:
    checks = DatasetChecks(settings, store, on_checked=lambda: None)
    yield checks
    await checks.close()


async def checked(api: Api, checks: DatasetChecks, dataset_id: str) -> Any:
    await checks.take_up()
    await checks.take_up()  # nothing is checked twice
    await checks.settled()
    return await ok(api.get(f"/datasets/{dataset_id}"))


async def test_statistics_and_preview_of_images(app_developer: Api, checks: DatasetChecks) -> None:
    created = await upload(app_developer, "IMAGE_CLASSIFICATION", image_files(), labels='["zero"]')
    dataset = await checked(app_developer, checks, created["id"])
    assert (dataset["status"], dataset["error"]) == ("READY", None)
    assert (dataset["stats"]["n_items"], dataset["stats"]["n_classes"]) == (2, 2)
    assert dataset["stats"]["image_sizes"] == [{"width": 4, "height": 4, "n": 2}]
    assert "labels" in dataset["warnings"][0]
    items = await ok(app_developer.get(f"/datasets/{created['id']}/preview?limit=1"))
    assert [item["label"] for item in items] == [0]
    kind, _, data = items[0]["query"].partition(",")
    assert kind == "data:image/png;base64"
    assert Image.open(io.BytesIO(base64.b64decode(data))).size == (4, 4)
    assert len(await ok(app_developer.get(f"/datasets/{created['id']}/preview"))) == 2


async def test_statistics_and_preview_of_tables(app_developer: Api, checks: DatasetChecks) -> None:
    created = await upload(app_developer, "TABULAR_CLASSIFICATION", TABLE)
    dataset = await checked(app_developer, checks, created["id"])
    assert dataset["stats"]["n_items"] == 4
    assert {column["name"]: column["n_missing"] for column in dataset["stats"]["columns"]} == {
        "age": 1,
        "sex": 0,
        "survived": 0,
    }
    first = (await ok(app_developer.get(f"/datasets/{created['id']}/preview")))[0]
    assert first == {"query": {"age": 22.0, "sex": "m"}, "label": 0}


async def test_a_broken_item_makes_a_dataset_invalid(
    app_developer: Api, checks: DatasetChecks, settings: Settings, world: World
) -> None:
    created = await upload(app_developer, "IMAGE_CLASSIFICATION", image_files(b"no image"))
    dataset = await checked(app_developer, checks, created["id"])
    assert dataset["status"] == "INVALID"
    assert dataset["error"]["code"] == "INVALID_DATASET"
    assert "0.png" in dataset["error"]["message"]
    assert str(settings.data_dir) not in str(dataset["error"])
    assert await ok(app_developer.get("/datasets")) == [{k: v for k, v in dataset.items() if k != "stats"}]
    assert "0.png" in await refused(app_developer.get(f"/datasets/{created['id']}/preview"), 400, "InvalidDatasetError")
    model = world.model(app_developer, task="IMAGE_CLASSIFICATION")
    body = {"app": "a", "task": "IMAGE_CLASSIFICATION", "train_dataset_id": created["id"], "model_ids": [model.id]}
    assert "0.png" in await refused(app_developer.post("/train_jobs", json=body), 400, "InvalidDatasetError")


async def test_a_check_that_a_stop_ended_is_taken_up_again(
    app_developer: Api, settings: Settings, store: Store, checks: DatasetChecks
) -> None:
    created = await upload(app_developer, "IMAGE_CLASSIFICATION", image_files())
    stopped = DatasetChecks(settings, store, on_checked=lambda: None)
    await stopped.take_up()
    await stopped.close()
    assert (await ok(app_developer.get(f"/datasets/{created['id']}")))["status"] == "CHECKING"
    assert (await checked(app_developer, checks, created["id"]))["status"] == "READY"


async def test_a_dataset_of_a_custom_task_is_ready_as_it_is(app_developer: Api, checks: DatasetChecks) -> None:
    created = await upload(app_developer, "T", CSV)
    dataset = await checked(app_developer, checks, created["id"])
    assert (dataset["status"], dataset["stats"]) == ("READY", {})
    assert await ok(app_developer.get(f"/datasets/{created['id']}/preview")) == []


async def test_a_check_has_a_time_limit(app_developer: Api, settings: Settings, store: Store) -> None:
    created = await upload(app_developer, "IMAGE_CLASSIFICATION", image_files())
    hasty = DatasetChecks(settings.model_copy(update={"dataset_check_time_limit_s": 0.001}), store, lambda: None)
    dataset = await checked(app_developer, hasty, created["id"])
    assert (dataset["status"], dataset["error"]["code"]) == ("INVALID", "TIME_LIMIT")
    assert "dataset_check_time_limit_s" in dataset["error"]["hint"]


# Whose, and until when ------------------------------------------------------------------------------------------------


async def test_a_dataset_is_its_owners(
    app_developer: Api, developer: Api, admin: Api, store: Store, settings: Settings
) -> None:
    created = await upload(app_developer, "T", CSV)
    address = f"/datasets/{created['id']}"
    for api in (app_developer, admin):
        assert (await ok(api.get(address)))["id"] == created["id"]
        assert await ok(api.get(f"{address}/preview")) == []
    for method, path in (("GET", address), ("GET", f"{address}/preview"), ("DELETE", address)):
        await refused(developer.request(method, path), 404, "InvalidDatasetError")
    await refused(app_developer.get(f"/datasets/{uuid.uuid4()}"), 404, "InvalidDatasetError")
    await ok(admin.delete(address))
    await refused(app_developer.delete(address), 404, "InvalidDatasetError")
    assert store.sweep_blobs(0.0) == 1
    assert blobs_of(settings) == []


async def test_what_uses_a_dataset_is_named_before_it_is_deleted(app_developer: Api, world: World) -> None:
    job = world.train_job(app_developer, "my app")
    message = await refused(app_developer.delete(f"/datasets/{job.train_dataset_id}"), 409, "DatasetUsedError")
    assert "'my app' (version 1)" in message


async def test_an_invalid_dataset_says_why_to_whoever_asks_for_a_preview(
    app_developer: Api, world: World, store: Store
) -> None:
    dataset = world.dataset(app_developer)
    store.catalog.set_dataset_invalid(dataset.id, Failure("INVALID_DATASET", "row 3 is short", "mend it"))
    message = await refused(app_developer.get(f"/datasets/{dataset.id}/preview"), 400, "InvalidDatasetError")
    assert "row 3 is short" in message
