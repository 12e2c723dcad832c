"""Datasets and model templates: the rows. Their bytes are in the blobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, insert, or_, select, update

from rafiki.constants import ModelAccessRight, ModelStatus
from rafiki.entities import Dataset, Failure, Model
from rafiki.errors import DuplicateModelNameError, ModelUsedError
from rafiki.store.database import Database, new_id, now
from rafiki.store.rows import SELECT_DATASET, SELECT_MODEL, AnySelect, failure_to_json, to_dataset, to_model
from rafiki.store.schema import datasets, models, train_job_models


class Catalog:
    """Lists are in order of creation."""

    def __init__(self, db: Database) -> None:
        self._db = db

    # Datasets ---------------------------------------------------------------------------------------------------------

    def create_dataset(self, user_id: str, name: str, task: str, blob_hash: str, size_bytes: int) -> Dataset:
        dataset = Dataset(new_id(), user_id, name, task, blob_hash, size_bytes, now())
        with self._db.write() as c:
            c.execute(insert(datasets).values(**vars(dataset)))
        return dataset

    def get_dataset(self, dataset_id: str) -> Dataset | None:
        with self._db.read() as c:
            row = c.execute(SELECT_DATASET.where(datasets.c.id == dataset_id)).first()
        return None if row is None else to_dataset(row)

    def list_datasets(self, user_id: str, task: str | None = None) -> list[Dataset]:
        query = SELECT_DATASET.where(datasets.c.user_id == user_id)
        if task is not None:
            query = query.where(datasets.c.task == task)
        with self._db.read() as c:
            return [to_dataset(row) for row in c.execute(query.order_by(datasets.c.datetime_created, datasets.c.id))]

    # Models -----------------------------------------------------------------------------------------------------------

    def create_model(
        self,
        user_id: str,
        name: str,
        task: str,
        model_class: str,
        dependencies: dict[str, str] | None,
        access_right: str,
        docker_image: str | None,
        source_hash: str,
    ) -> Model:
        """A model that is `CHECKING`. Raises `DuplicateModelNameError`: a name is unique per user."""
        model = Model(
            id=new_id(),
            user_id=user_id,
            name=name,
            task=task,
            model_class=model_class,
            dependencies=dependencies or {},
            access_right=access_right,
            docker_image=docker_image,
            source_hash=source_hash,
            status=ModelStatus.CHECKING,
            error=None,
            warnings=[],
            knob_config=None,
            datetime_created=now(),
        )
        with self._db.write() as c:
            if c.execute(select(models.c.id).where(models.c.user_id == user_id, models.c.name == name)).first():
                raise DuplicateModelNameError(f"you already have a model {name!r}", hint="Choose another name.")
            c.execute(insert(models).values(**vars(model)))
        return model

    def get_model(self, model_id: str) -> Model | None:
        with self._db.read() as c:
            row = c.execute(SELECT_MODEL.where(models.c.id == model_id)).first()
        return None if row is None else to_model(row)

    def list_models(self, user_id: str | None = None, task: str | None = None) -> list[Model]:
        """Those of a user (None: of all users)."""
        return self._list_models(SELECT_MODEL if user_id is None else SELECT_MODEL.where(_owned(user_id)), task)

    def list_available_models(self, user_id: str, task: str | None = None) -> list[Model]:
        """Public ones and the user's own, without `INVALID` ones."""
        is_available = or_(models.c.access_right == ModelAccessRight.PUBLIC, _owned(user_id))
        return self._list_models(SELECT_MODEL.where(is_available, models.c.status != ModelStatus.INVALID), task)

    def models_in_status(self, status: str) -> list[Model]:
        return self._list_models(SELECT_MODEL.where(models.c.status == status), None)

    def set_model_ready(self, model_id: str, knob_config: str, warnings: Sequence[str] = ()) -> bool:
        """CHECKING -> READY. False: it was settled, or deleted, meanwhile."""
        return self._settle(model_id, ModelStatus.READY, knob_config=knob_config, warnings=list(warnings))

    def set_model_invalid(self, model_id: str, failure: Failure) -> bool:
        """CHECKING -> INVALID. False: it was settled, or deleted, meanwhile."""
        return self._settle(model_id, ModelStatus.INVALID, error=failure_to_json(failure))

    def delete_model(self, model_id: str) -> bool:
        """False: there is none. Raises `ModelUsedError`."""
        with self._db.write() as c:
            if c.execute(select(train_job_models.c.job_id).where(train_job_models.c.model_id == model_id)).first():
                raise ModelUsedError(
                    "the model is used in a train job, whose trials need it; only unused models can be deleted"
                )
            return c.execute(delete(models).where(models.c.id == model_id)).rowcount == 1

    def _list_models(self, query: AnySelect, task: str | None) -> list[Model]:
        if task is not None:
            query = query.where(models.c.task == task)
        with self._db.read() as c:
            return [to_model(row) for row in c.execute(query.order_by(models.c.datetime_created, models.c.id))]

    def _settle(self, model_id: str, status: str, **values: Any) -> bool:
        settle = update(models).where(models.c.id == model_id, models.c.status == ModelStatus.CHECKING)
        with self._db.write() as c:
            return c.execute(settle.values(status=status, **values)).rowcount == 1


def _owned(user_id: str) -> Any:
    return models.c.user_id == user_id
