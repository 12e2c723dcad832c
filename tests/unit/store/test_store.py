"""The store as a whole: what it imports, where it lives, and the bytes that nothing refers to."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from rafiki.settings import Settings
from rafiki.store import Store


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "deep" / "da?ta %20#", cores=1, gpus=0)


def test_a_normal_start_imports_no_alembic(settings: Settings) -> None:
    code = (
        "import sys; from rafiki.settings import Settings; from rafiki.store import Store\n"
        "settings = Settings.from_runner_json(sys.argv[1])\n"
        "Store.open(settings).close(); Store.open(settings).close()\n"
        "print([name for name in ('alembic', 'fsspec', 'sqlalchemy.orm') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, settings.for_runner()], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr


def test_it_is_there_again_in_a_folder_of_its_owner(settings: Settings) -> None:
    store = Store.open(settings)
    user = store.users.create("a@b", "hash", "ADMIN")
    store.close()
    assert stat.S_IMODE(settings.data_dir.stat().st_mode) == 0o700
    store = Store.open(settings)
    assert store.users.list() == [user]
    store.close()


def test_only_bytes_that_nothing_refers_to_are_swept(settings: Settings) -> None:
    store = Store.open(settings)
    used = [store.blobs.put_bytes(name.encode()) for name in ("dataset", "model", "params")]
    unused = store.blobs.put_bytes(b"refused upload")
    user = store.users.create("a@b", "hash", "ADMIN")
    dataset = store.catalog.create_dataset(user.id, "d", "T", used[0], 7)
    model = store.catalog.create_model(user.id, "m", "T", "C", {}, "PRIVATE", None, used[1])
    job = store.train_jobs.create(user.id, "app", "T", dataset.id, dataset.id, {}, None, [model.id], 1)
    trials = [store.trials.start(job.id, 0, model.id, no, 1, "w", {}) for no in (1, 2)]
    for trial in trials:
        store.trials.finish(trial.id, 0, 0.5, used[2])
    assert store.sweep_blobs() == 0  # it may still get its row
    for content_hash in (*used, unused):
        os.utime(store.blobs.path(content_hash), (1000, 1000))
    assert store.sweep_blobs() == 1
    assert [store.blobs.exists(content_hash) for content_hash in (*used, unused)] == [True, True, True, False]
    store.trials.forget_params(trials[0].id)
    assert store.sweep_blobs() == 0  # the other trial has the same
    store.trials.forget_params(trials[1].id)
    assert store.sweep_blobs() == 1
    store.close()
