"""Datasets."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import Query, Request
from starlette.concurrency import run_in_threadpool

from rafiki.constants import DatasetStatus
from rafiki.entities import Dataset
from rafiki.errors import InvalidDatasetError
from rafiki.executor import CheckFailed
from rafiki.server.access import Caller, Named, guarded_router
from rafiki.server.answers import DatasetAnswer, DatasetDetailAnswer, DatasetItemAnswer
from rafiki.server.bodies import DatasetLabels
from rafiki.server.context import Ctx
from rafiki.server.downloads import fetch_url
from rafiki.server.openapi import form_body
from rafiki.server.uploads import receive_form
from rafiki.tasks import CustomTask, get_task

router = guarded_router("catalog")

MAX_LABELS = 100_000
_MAX_LABEL_LENGTH = 1000
_MAX_PREVIEWED = 100

_FORM = form_body(
    ["name", "task"],
    {
        "name": "name of the dataset",
        "task": "its task, which says the file's format",
        "dataset_url": "http or https address that the server fetches, in place of a file",
        "labels": 'JSON text of a list of names for the classes 0, 1, ..., such as ["cat", "dog"]',
    },
    "dataset",
)


@router.post("/datasets", response_model=DatasetAnswer, openapi_extra=_FORM)
async def create_dataset(request: Request, caller: Caller, context: Ctx) -> Dataset:
    """Upload a dataset, or have the server fetch one.

    For a built-in task what can be seen at once of its format is checked at once, and every item in the background:
    `GET /datasets/{dataset_id}` tells with what outcome.
    """
    max_bytes = context.settings.max_upload_bytes
    async with receive_form(request, "dataset", context.store.blobs.writer, max_bytes) as form:
        name = form.required("name", InvalidDatasetError)
        task = form.required("task", InvalidDatasetError)
        labels = _labels(form.text("labels"))
        url = form.text("dataset_url")
        if form.file is None:
            if url is None:
                raise InvalidDatasetError("the form has neither a file `dataset` nor a `dataset_url`")
            await fetch_url(url, form.open_file(), max_bytes)
        assert form.file is not None
        if not isinstance(get_task(task), CustomTask):
            path = await run_in_threadpool(form.file.flush)
            try:
                await context.checker.check_structure(task, path)
            except CheckFailed as error:
                raise InvalidDatasetError(error.failure.message, error.failure.hint) from error
        blob_hash, size_bytes = await run_in_threadpool(form.file.commit)
    create = context.store.catalog.create_dataset
    dataset = await run_in_threadpool(create, caller.id, name, task, blob_hash, size_bytes, labels)
    context.supervisor.wake()
    return dataset


@router.get("/datasets", response_model=list[DatasetAnswer])
def list_datasets(caller: Caller, context: Ctx, task: str | None = None) -> list[Dataset]:
    """Your datasets."""
    return context.store.catalog.list_datasets(caller.id, task)


@router.get("/datasets/{dataset_id}", response_model=DatasetDetailAnswer)
def get_dataset(dataset_id: str, dataset: Annotated[Dataset, Named]) -> Dataset:
    """One dataset, with what its check found. For its owner and admins."""
    return dataset


@router.get("/datasets/{dataset_id}/preview", response_model=list[DatasetItemAnswer])
async def preview_dataset(
    dataset_id: str,
    dataset: Annotated[Dataset, Named],
    context: Ctx,
    limit: Annotated[int, Query(ge=1, le=_MAX_PREVIEWED)] = 20,
) -> list[Any]:
    """Some items from all over a dataset. Images are data URLs of small PNG files. For its owner and admins.

    A dataset of a custom task has no items that the platform could name.
    """
    if dataset.status == DatasetStatus.INVALID and dataset.error is not None:
        raise InvalidDatasetError(f"dataset {dataset.name!r} is INVALID: {dataset.error.message}", dataset.error.hint)
    if isinstance(get_task(dataset.task), CustomTask):
        return []
    path = await run_in_threadpool(context.store.blobs.path, dataset.blob_hash)
    try:
        return await context.checker.preview(dataset.task, path, limit)
    except CheckFailed as error:
        raise InvalidDatasetError(error.failure.message, error.failure.hint) from error


@router.put("/datasets/{dataset_id}/labels", response_model=DatasetAnswer)
def name_classes(dataset_id: str, dataset: Annotated[Dataset, Named], body: DatasetLabels, context: Ctx) -> Dataset:
    """Name a dataset's classes anew. Its jobs show the names at once, a predictor's explanations from its next start.

    For its owner and admins.
    """
    labels = _check_labels(body.labels)
    named = context.store.catalog.set_dataset_labels(dataset.id, labels)
    if named is None:
        raise InvalidDatasetError(f"there is no dataset {dataset_id!r}", status=404)
    return named


@router.delete("/datasets/{dataset_id}", response_model=DatasetAnswer)
def delete_dataset(dataset_id: str, dataset: Annotated[Dataset, Named], context: Ctx) -> Dataset:
    """Delete a dataset that no train job uses. For its owner and admins."""
    if not context.store.catalog.delete_dataset(dataset.id):
        raise InvalidDatasetError(f"there is no dataset {dataset_id!r}", status=404)
    context.store.delete_unused_blobs([dataset.blob_hash])
    return dataset


def _labels(text: str | None) -> list[str] | None:
    if text is None:
        return None
    try:
        labels = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidDatasetError(f"labels is not JSON: {error}", 'such as ["cat", "dog"]') from error
    return _check_labels(labels)


def _check_labels(labels: Any) -> list[str] | None:
    if labels is None:
        return None
    if not isinstance(labels, list) or len(labels) > MAX_LABELS:
        raise InvalidDatasetError("labels is not a list of names for the classes 0, 1, ...", 'such as ["cat", "dog"]')
    for i, label in enumerate(labels):
        if not isinstance(label, str) or len(label) > _MAX_LABEL_LENGTH or not _is_text(label):
            raise InvalidDatasetError(f"labels[{i}] is {label!r:.100}, expected a text of 1000 characters at most")
    return labels


def _is_text(label: str) -> bool:
    """That an answer and a database take."""
    return "\0" not in label and not any("\ud800" <= character <= "\udfff" for character in label)
