"""Datasets and models."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import BinaryIO

from rafiki.client.connection import Connection, Row, part
from rafiki.constants import ModelAccessRight

FilePath = str | os.PathLike[str]
_BYTES = "application/octet-stream"


class Catalog(Connection):
    def create_dataset(
        self, name: str, task: str, dataset_path: FilePath | None = None, dataset_url: str | None = None
    ) -> Row:
        """Uploads a dataset in its task's format: a local file, sent as it is read, or one at a URL."""
        if bool(dataset_path) == bool(dataset_url):
            raise ValueError("create_dataset needs either dataset_path, a local file, or dataset_url")
        form = {"name": name, "task": task, "dataset_url": dataset_url or None}
        answer: Row
        if not dataset_path:
            answer = self._call("POST", "/datasets", form=form)
            return answer
        with _open(dataset_path, "dataset_path") as file:
            answer = self._call("POST", "/datasets", form=form, files={"dataset": ("dataset", file, _BYTES)})
        return answer

    def get_datasets(self, task: str | None = None) -> list[Row]:
        """One's own datasets, of one task or of all."""
        answer: list[Row] = self._call("GET", "/datasets", params={"task": task})
        return answer

    def create_model(
        self,
        name: str,
        task: str,
        model_file_path: FilePath,
        model_class: str,
        dependencies: dict[str, str] | None = None,
        access_right: str = ModelAccessRight.PRIVATE,
        docker_image: str | None = None,
    ) -> Row:
        """Submits a model template: the class named `model_class` in a Python file. For model developers.

        The answer comes at once; the template is checked behind it, and `get_model` says with what outcome
        (`status`, `error`).
        """
        form = {
            "name": name,
            "task": task,
            "model_class": model_class,
            "dependencies": json.dumps(dependencies or {}),
            "access_right": access_right,
            "docker_image": docker_image,
        }
        with _open(model_file_path, "model_file_path") as file:
            files = {"model_file_bytes": (f"{model_class}.py", file, _BYTES)}
            answer: Row = self._call("POST", "/models", form=form, files=files)
        return answer

    def get_model(self, model_id: str) -> Row:
        """One of one's own models."""
        answer: Row = self._call("GET", f"/models/{part(model_id)}")
        return answer

    def download_model_file(self, model_id: str, out_model_file_path: FilePath) -> Row:
        """Writes a model's template to a local file; answers what `get_model` does."""
        source: bytes = self._call("GET", f"/models/{part(model_id)}/model_file")
        Path(out_model_file_path).expanduser().write_bytes(source)
        return self.get_model(model_id)

    def get_available_models(self, task: str | None = None) -> list[Row]:
        """The models that one may use in train jobs: public ones and one's own, of one task or of all."""
        answer: list[Row] = self._call("GET", "/models/available", params={"task": task})
        return answer

    def delete_model(self, model_id: str) -> Row:
        """Deletes one of one's own models that no train job uses."""
        answer: Row = self._call("DELETE", f"/models/{part(model_id)}")
        return answer


def _open(path: FilePath, parameter: str) -> BinaryIO:
    local = Path(path).expanduser()
    if not local.is_file():
        raise FileNotFoundError(f"{parameter}: there is no file {local.absolute()}")
    return local.open("rb")
