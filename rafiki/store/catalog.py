"""Datasets and model templates: the rows. Their bytes are in the blobs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, delete, func, insert, or_, select, update

from rafiki.constants import ModelAccessRight, ModelStatus
from rafiki.entities import LIVE_STATUSES, Failure, Model
from rafiki.errors import DuplicateModelNameError, InvalidModelError, ModelUsedError
from rafiki.store.database import Database, new_id, now
from rafiki.store.datasets import Datasets
from rafiki.store.rows import SELECT_MODEL, AnyRow, AnySelect, failure_to_json, to_model
from rafiki.store.schema import inference_jobs, jobs, models, train_job_models
from rafiki.store.uses import name_train_jobs


class Catalog(Datasets):
    """Lists are in order of creation."""

    def __init__(self, db: Database) -> None:
        super().__init__(db)
        self._db = db

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
        new_version: bool = False,
    ) -> Model:
        """A model that is `CHECKING`.

        Raises `DuplicateModelNameError`: a name is unique per user, unless the model is to be the `new_version` of
        those that have it; `InvalidModelError` where these are of another task.
        """
        model = Model(
            id=new_id(),
            user_id=user_id,
            name=name,
            version=1,
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
            latest = _latest_version(c, user_id, name)
            if latest is not None:
                _check_may_follow(latest, name, task, new_version)
                model = replace(model, version=latest.version + 1)
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
        """Public ones and the user's own, without `INVALID` ones; of several versions the latest of these."""
        is_available = or_(models.c.access_right == ModelAccessRight.PUBLIC, _owned(user_id))
        found = self._list_models(SELECT_MODEL.where(is_available, models.c.status != ModelStatus.INVALID), task)
        latest = {(model.user_id, model.name): model.id for model in sorted(found, key=lambda model: model.version)}
        return [model for model in found if latest[model.user_id, model.name] == model.id]

    def models_in_status(self, status: str) -> list[Model]:
        return self._list_models(SELECT_MODEL.where(models.c.status == status), None)

    def set_model_progress(self, model_id: str, progress: str) -> None:
        """What the check of a model is doing; of no effect once it has ended."""
        self._update_checking(model_id, progress=progress)

    def set_model_environment(self, model_id: str, address: str, lock: str) -> None:
        """What a model that is being checked runs in, and what that was built from."""
        self._update_checking(model_id, environment=address, lock=lock)

    def lock_of_environment(self, address: str) -> str | None:
        """What an environment was built from; None where no model runs in it."""
        with self._db.read() as c:
            return c.execute(select(models.c.lock).where(models.c.environment == address).limit(1)).scalar()

    def environments_of_job(self, job_id: str) -> list[str]:
        """What the models of a train job run in, or of an inference job's train job."""
        return self._environments(jobs.c.id == job_id)

    def environments_in_use(self) -> list[str]:
        """Those of live jobs, and of models that are being checked."""
        checking = select(models.c.environment).where(models.c.status == ModelStatus.CHECKING)
        with self._db.read() as c:
            checked = [address for (address,) in c.execute(checking) if address is not None]
        return checked + self._environments(jobs.c.status.in_(LIVE_STATUSES))

    def n_models_by_environment(self) -> dict[str, int]:
        count = select(models.c.environment, func.count()).group_by(models.c.environment)
        with self._db.read() as c:
            return {address: n for address, n in c.execute(count) if address is not None}

    def set_model_ready(self, model_id: str, knob_config: str, warnings: Sequence[str] = ()) -> bool:
        """CHECKING -> READY. False: it was settled, or deleted, meanwhile."""
        return self._settle(model_id, ModelStatus.READY, knob_config=knob_config, warnings=list(warnings))

    def set_model_invalid(self, model_id: str, failure: Failure) -> bool:
        """CHECKING -> INVALID. False: it was settled, or deleted, meanwhile."""
        return self._settle(model_id, ModelStatus.INVALID, error=failure_to_json(failure))

    def delete_model(self, model_id: str) -> bool:
        """False: there is none. Raises `ModelUsedError`, which names the owner's train jobs that use it."""
        with self._db.write() as c:
            owner_id = c.execute(select(models.c.user_id).where(models.c.id == model_id)).scalar()
            uses = name_train_jobs(c, train_job_models.c.model_id == model_id, of_user=owner_id)
            if uses:
                raise ModelUsedError(
                    f"the model is used by {uses}, whose trials need it",
                    hint="Delete those train jobs first; only unused models can be deleted.",
                )
            return c.execute(delete(models).where(models.c.id == model_id)).rowcount == 1

    def _list_models(self, query: AnySelect, task: str | None) -> list[Model]:
        if task is not None:
            query = query.where(models.c.task == task)
        with self._db.read() as c:
            return [to_model(row) for row in c.execute(query.order_by(models.c.datetime_created, models.c.id))]

    def _settle(self, model_id: str, status: str, **values: Any) -> bool:
        return self._update_checking(model_id, status=status, progress=None, **values)

    def _update_checking(self, model_id: str, **values: Any) -> bool:
        change = update(models).where(models.c.id == model_id, models.c.status == ModelStatus.CHECKING)
        with self._db.write() as c:
            return c.execute(change.values(**values)).rowcount == 1

    def _environments(self, which: Any) -> list[str]:
        """The environments of the models of jobs, through the train jobs that inference jobs serve."""
        train_job_id = func.coalesce(inference_jobs.c.train_job_id, jobs.c.id)
        query = (
            select(models.c.environment)
            .distinct()
            .select_from(jobs)
            .outerjoin(inference_jobs, inference_jobs.c.id == jobs.c.id)
            .join(train_job_models, train_job_models.c.job_id == train_job_id)
            .join(models, models.c.id == train_job_models.c.model_id)
            .where(which, models.c.environment.is_not(None))
        )
        with self._db.read() as c:
            return [address for (address,) in c.execute(query)]


def _latest_version(c: Connection, user_id: str, name: str) -> AnyRow | None:
    of_name = select(models.c.version, models.c.task).where(_owned(user_id), models.c.name == name)
    return c.execute(of_name.order_by(models.c.version.desc()).limit(1)).first()


def _check_may_follow(latest: AnyRow, name: str, task: str, new_version: bool) -> None:
    if not new_version:
        hint = "Choose another name, or make this its next version (new_version)."
        raise DuplicateModelNameError(f"you already have a model {name!r}", hint=hint)
    if latest.task != task:
        raise InvalidModelError(
            f"your model {name!r} is of task {latest.task!r}; its next version cannot be of {task!r}",
            hint="Versions of a model are of one task: choose another name.",
        )


def _owned(user_id: str) -> Any:
    return models.c.user_id == user_id
