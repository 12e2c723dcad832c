"""What every store promises of users and the catalog."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from rafiki.constants import ModelStatus, UserType
from rafiki.entities import Failure, User
from rafiki.errors import (
    DuplicateModelNameError,
    ModelUsedError,
    UserExistsError,
)
from rafiki.store import Store
from tests.contracts.store_world import FAILURE, World


class TestMeta:
    def test_a_value_is_kept(self, store: Store) -> None:
        assert store.meta.get("instance") is None
        assert store.meta.get_or_set("instance", "a") == "a"
        assert store.meta.get_or_set("instance", "b") == "a"
        store.meta.set("instance", "c")
        assert store.meta.get("instance") == "c"


class TestUsers:
    def test_emails_are_compared_without_case_and_kept_as_given(self, store: Store) -> None:
        user = store.users.create("Ada@Rafiki", "hash", UserType.ADMIN)
        assert store.users.by_email("aDA@rAFIKI") == (user, "hash")
        assert store.users.get(user.id) == user == User(user.id, "Ada@Rafiki", "ADMIN", None)
        with pytest.raises(UserExistsError, match="ADA@RAFIKI"):
            store.users.create("ADA@RAFIKI", "hash", UserType.ADMIN)

    def test_unknown_ones_are_none(self, store: Store) -> None:
        assert store.users.get("nobody") is None
        assert store.users.by_email("nobody@rafiki") is None
        assert store.users.list() == []

    def test_list_is_in_order_of_creation(self, store: Store) -> None:
        users = [store.users.create(f"{name}@x", "h", UserType.ADMIN) for name in "cab"]
        assert store.users.list() == users

    def test_a_ban_happens_once_and_is_timed_in_utc(self, world: World) -> None:
        before = datetime.now(UTC)
        banned = world.store.users.ban(world.user.id)
        assert banned is not None and banned.banned_date is not None
        assert banned.banned_date.tzinfo is UTC
        assert before <= banned.banned_date <= datetime.now(UTC)
        assert world.store.users.ban(world.user.id) is None
        assert world.store.users.get(world.user.id) == banned

    def test_set_password(self, world: World) -> None:
        world.store.users.set_password(world.user.id, "other")
        assert world.store.users.by_email(world.user.email) == (world.user, "other")

    def test_a_new_password_ends_the_tokens_of_its_user(self, world: World) -> None:
        users, now = world.store.users, datetime.now(UTC)
        neighbour = users.create("neighbour@x", "h", UserType.ADMIN)
        users.add_token(neighbour.id, "theirs", None)
        for token, name in (("kept", None), ("sign-in", None), ("script", "nightly")):
            users.add_token(world.user.id, token, None, name)
        users.set_password(world.user.id, "other", kept_token_hash="kept")
        assert users.user_of_token("kept", now) == world.user
        assert users.user_of_token("sign-in", now) is users.user_of_token("script", now) is None
        assert users.list_tokens(world.user.id) == []
        users.set_password(world.user.id, "third")
        assert users.user_of_token("kept", now) is None
        assert users.user_of_token("theirs", now) == neighbour

    def test_a_token_holds_until_it_expires(self, world: World) -> None:
        users, now = world.store.users, datetime.now(UTC)
        users.add_token(world.user.id, "t", now + timedelta(hours=1))
        assert users.user_of_token("t", now) == world.user
        assert users.user_of_token("t", now + timedelta(hours=1)) is None
        assert users.user_of_token("other", now) is None

    def test_a_token_without_end_holds(self, world: World) -> None:
        world.store.users.add_token(world.user.id, "t", None, name="nightly")
        assert world.store.users.user_of_token("t", datetime.now(UTC) + timedelta(days=9999)) == world.user

    def test_a_ban_ends_tokens_already_given_out(self, world: World) -> None:
        users, now = world.store.users, datetime.now(UTC)
        users.add_token(world.user.id, "t", now + timedelta(hours=1))
        users.ban(world.user.id)
        assert users.user_of_token("t", now) is None

    def test_a_new_token_drops_the_expired_ones_of_its_user(self, world: World) -> None:
        users, now = world.store.users, datetime.now(UTC)
        users.add_token(world.user.id, "old", now - timedelta(seconds=1))
        users.add_token(world.user.id, "good", now + timedelta(hours=1))
        users.add_token(world.user.id, "new", now + timedelta(hours=1))
        assert users.user_of_token("old", now - timedelta(hours=1)) is None
        assert users.user_of_token("good", now) == users.user_of_token("new", now) == world.user

    def test_a_time_without_zone_is_refused(self, world: World) -> None:
        with pytest.raises(Exception, match="time zone"):
            world.store.users.add_token(world.user.id, "t", datetime(2026, 1, 1))


class TestDatasets:
    def test_what_was_created_is_found(self, world: World) -> None:
        dataset = world.add_dataset(name="Ünï", task="0b6cd6b4-0c57", size_bytes=20 * 2**30)
        assert world.store.catalog.get_dataset(dataset.id) == dataset
        assert world.store.catalog.get_dataset("none") is None

    def test_list_is_by_user_and_task(self, world: World) -> None:
        of_other_task = world.add_dataset(task="U")
        of_other_user = world.add_dataset(user_id=world.add_user().id)
        catalog = world.store.catalog
        assert catalog.list_datasets(world.user.id) == [world.dataset, of_other_task]
        assert catalog.list_datasets(world.user.id, "U") == [of_other_task]
        assert catalog.list_datasets(of_other_user.user_id) == [of_other_user]


class TestModels:
    def test_a_new_one_is_checking(self, world: World) -> None:
        model = world.add_model(dependencies=None)
        assert (model.status, model.error, model.knob_config, model.dependencies) == ("CHECKING", None, None, {})
        assert world.store.catalog.get_model(model.id) == model
        assert world.store.catalog.get_model("none") is None

    def test_a_name_is_unique_per_user(self, world: World) -> None:
        with pytest.raises(DuplicateModelNameError, match=world.model.name):
            world.add_model(name=world.model.name)
        world.add_model(name=world.model.name, user_id=world.add_user().id)

    def test_ready_then_nothing_else(self, world: World) -> None:
        catalog, model_id = world.store.catalog, world.model.id
        assert catalog.set_model_ready(model_id, '{"a": 1}', ["scikit-learn 1.5.1 is used"])
        assert not catalog.set_model_invalid(model_id, FAILURE)
        assert not catalog.set_model_ready(model_id, "{}", [])
        model = catalog.get_model(model_id)
        assert model is not None
        assert (model.status, model.knob_config, model.error) == (ModelStatus.READY, '{"a": 1}', None)
        assert model.warnings == ["scikit-learn 1.5.1 is used"]

    def test_invalid_says_why(self, world: World) -> None:
        catalog = world.store.catalog
        assert catalog.set_model_invalid(world.model.id, FAILURE)
        assert not catalog.set_model_ready(world.model.id, "{}", [])
        model = catalog.get_model(world.model.id)
        assert model is not None and (model.status, model.error) == (ModelStatus.INVALID, FAILURE)
        assert catalog.models_in_status(ModelStatus.INVALID) == [model]
        assert catalog.models_in_status(ModelStatus.CHECKING) == []

    def test_a_failure_may_quote_anything(self, world: World) -> None:
        world.store.catalog.set_model_invalid(world.model.id, Failure("EXCEPTION", "half a \ud83d pair\n\0 'q'"))
        model = world.store.catalog.get_model(world.model.id)
        assert model is not None and model.error is not None
        assert model.error.message.encode() == b"half a ? pair\n\0 'q'"

    def test_lists(self, world: World) -> None:
        catalog, other = world.store.catalog, world.add_user()
        own, private = world.model, world.add_model(user_id=other.id)
        public = world.add_model(user_id=other.id, access_right="PUBLIC")
        of_other_task = world.add_model(user_id=other.id, access_right="PUBLIC", task="U")
        invalid = world.add_model(user_id=other.id, access_right="PUBLIC")
        catalog.set_model_invalid(invalid.id, FAILURE)
        ids = lambda models: [model.id for model in models]  # noqa: E731
        assert ids(catalog.list_models()) == ids([own, private, public, of_other_task, invalid])
        assert ids(catalog.list_models(world.user.id)) == [own.id]
        assert ids(catalog.list_models(other.id, "U")) == [of_other_task.id]
        assert ids(catalog.list_available_models(world.user.id)) == ids([own, public, of_other_task])
        assert ids(catalog.list_available_models(world.user.id, "T")) == ids([own, public])
        assert ids(catalog.list_available_models(other.id, "T")) == ids([private, public])

    def test_only_an_unused_one_is_deleted(self, world: World) -> None:
        catalog = world.store.catalog
        job = world.add_train_job()
        world.store.train_jobs.stop(job.id)
        with pytest.raises(ModelUsedError):
            catalog.delete_model(world.model.id)
        unused = world.add_model()
        assert catalog.delete_model(unused.id)
        assert not catalog.delete_model(unused.id)
        assert catalog.get_model(unused.id) is None
