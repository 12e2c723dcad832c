"""Datasets and models."""

from __future__ import annotations

import json
import os
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

from rafiki.client.progress import of_transfer
from rafiki.client.section import Section
from rafiki.client.steps import ByteProgress, Call, Download, Row, Step, Upload, part
from rafiki.constants import DatasetStatus, ModelAccessRight, ModelStatus

FilePath = str | os.PathLike[str]


class Catalog(Section):
    def create_dataset(
        self,
        name: str,
        task: str,
        dataset_path: FilePath | None = None,
        dataset_url: str | None = None,
        labels: Sequence[str] | None = None,
        progress: ByteProgress | bool | None = None,
    ) -> Row:
        """Uploads a dataset in its task's format: a local file, sent as it is read, or one at a URL.

        `labels` are names for the classes 0, 1, ...; `progress` is called with the bytes sent and the file's size, or
        True: it shows a bar.
        The server checks the format at once and every item after that: `get_dataset` says with what outcome
        (`status`, `error`), `wait_until_dataset_is_checked` waits for it.
        """
        if bool(dataset_path) == bool(dataset_url):
            raise ValueError("create_dataset needs either dataset_path, a local file, or dataset_url")
        form = {
            "name": name,
            "task": task,
            "dataset_url": dataset_url or None,
            "labels": None if labels is None else json.dumps(list(labels)),
        }
        path = _local_file(dataset_path, "dataset_path") if dataset_path else None
        return self._run(_upload_dataset(form, path, progress))

    def get_datasets(self, task: str | None = None) -> list[Row]:
        """One's own datasets, of one task or of all."""
        return self._run(Call[list[Row]]("GET", "/datasets", params={"task": task}))

    def get_dataset(self, dataset_id: str) -> Row:
        """One dataset: also what its check found (`status`, `error`), and its statistics (`stats`)."""
        return self._run(_dataset(dataset_id))

    def get_dataset_preview(self, dataset_id: str, limit: int | None = None) -> list[Row]:
        """Some items from all over a dataset, `{query, label}` each; images are data URLs of small PNG files."""
        return self._run(Call[list[Row]]("GET", f"/datasets/{part(dataset_id)}/preview", params={"limit": limit}))

    def set_dataset_labels(self, dataset_id: str, labels: Sequence[str] | None) -> Row:
        """Names the classes 0, 1, ... of a dataset anew, or with None no more; the jobs made from it show the names."""
        body = {"labels": None if labels is None else list(labels)}
        return self._run(Call[Row]("PUT", f"/datasets/{part(dataset_id)}/labels", body=body))

    def delete_dataset(self, dataset_id: str) -> Row:
        """Deletes a dataset that no train job uses."""
        return self._run(Call[Row]("DELETE", f"/datasets/{part(dataset_id)}"))

    def wait_until_dataset_is_checked(self, dataset_id: str, timeout: float | None = None) -> Row:
        """Waits until all of a dataset has been checked; the dataset as it then is, `READY` or `INVALID`.

        `TimeoutError` after `timeout` seconds.
        """

        def ask() -> Generator[Step, Any, Row | None]:
            dataset = yield from _dataset(dataset_id)
            return None if dataset["status"] == DatasetStatus.CHECKING else dataset

        return self._run(self.polling.until(ask, timeout, f"dataset {dataset_id} is still being checked"))

    def create_model(
        self,
        name: str,
        task: str,
        model_file_path: FilePath,
        model_class: str,
        dependencies: dict[str, str] | None = None,
        access_right: str = ModelAccessRight.PRIVATE,
        docker_image: str | None = None,
        new_version: bool = False,
    ) -> Row:
        """Submits a model template: the class named `model_class` in a Python file. For model developers.

        The answer comes at once; the template is checked behind it, and `get_model` says with what outcome
        (`status`, `error`). With `new_version`, a model of that name may exist: this is its next version.
        """
        form = {
            "name": name,
            "task": task,
            "model_class": model_class,
            "dependencies": json.dumps(dependencies or {}),
            "access_right": access_right,
            "docker_image": docker_image,
            "new_version": "true" if new_version else None,
        }
        upload = Upload("model_file_bytes", _local_file(model_file_path, "model_file_path"), f"{model_class}.py")
        return self._run(Call[Row]("POST", "/models", form=form, upload=upload))

    def get_model(self, model_id: str) -> Row:
        """One of one's own models."""
        return self._run(_model(model_id))

    def download_model_file(self, model_id: str, out_model_file_path: FilePath) -> Row:
        """Writes a model's template to a local file; answers what `get_model` does."""

        def download() -> Generator[Step, Any, Row]:
            to_file = Download(Path(out_model_file_path).expanduser())
            yield from Call[None]("GET", f"/models/{part(model_id)}/model_file", download=to_file)
            return (yield from _model(model_id))

        return self._run(download())

    def get_models(self, task: str | None = None) -> list[Row]:
        """One's own models, of one task or of all, with what their checks found. For model developers."""
        return self._run(Call[list[Row]]("GET", "/models", params={"task": task}))

    def get_available_models(self, task: str | None = None) -> list[Row]:
        """The models that one may use in train jobs: public ones and one's own, of one task or of all."""
        return self._run(available_models(task))

    def delete_model(self, model_id: str) -> Row:
        """Deletes one of one's own models that no train job uses."""
        return self._run(Call[Row]("DELETE", f"/models/{part(model_id)}"))

    def wait_until_model_is_checked(self, model_id: str, timeout: float | None = None) -> Row:
        """Waits until one of one's own models has been checked; the model as it then is, `READY` or `INVALID`.

        `TimeoutError` after `timeout` seconds.
        """

        def ask() -> Generator[Step, Any, Row | None]:
            model = yield from _model(model_id)
            return None if model["status"] == ModelStatus.CHECKING else model

        return self._run(self.polling.until(ask, timeout, f"model {model_id} is still being checked"))


def available_models(task: str | None) -> Call[list[Row]]:
    return Call("GET", "/models/available", params={"task": task})


def _upload_dataset(form: Row, path: Path | None, progress: ByteProgress | bool | None) -> Generator[Step, Any, Row]:
    with of_transfer(f"Uploading {form['name']}", progress) as report:
        upload = Upload("dataset", path, "dataset", report) if path else None
        return (yield from Call[Row]("POST", "/datasets", form=form, upload=upload))


def _dataset(dataset_id: str) -> Call[Row]:
    return Call("GET", f"/datasets/{part(dataset_id)}")


def _model(model_id: str) -> Call[Row]:
    return Call("GET", f"/models/{part(model_id)}")


def _local_file(path: FilePath, parameter: str) -> Path:
    local = Path(path).expanduser()
    if not local.is_file():
        raise FileNotFoundError(f"{parameter}: there is no file {local.absolute()}")
    return local
