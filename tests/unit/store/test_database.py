"""SQLite behind the store: revisions, processes side by side, what each commit guarantees."""

from __future__ import annotations

import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, insert, select, text
from sqlalchemy.exc import IntegrityError, OperationalError

from rafiki.errors import NewerDatabaseError
from rafiki.settings import Settings
from rafiki.store import Store, database, migrations
from rafiki.store.database import Database
from rafiki.store.schema import REVISION, meta, metadata

NEXT_REVISION = f"""
import sqlalchemy as sa
from alembic import op

revision, down_revision = "next", "{REVISION}"

def upgrade():
    with op.batch_alter_table("users") as users:
        users.alter_column("user_type", type_=sa.String(64))
        users.add_column(sa.Column("nickname", sa.Text))
"""

#: Rows as the first revision has them.
A_TRAIN_JOB = """
INSERT INTO users VALUES ('u', 'a@b', 'a@b', 'h', 'ADMIN', NULL, '2026-01-01 00:00:00');
INSERT INTO datasets (id, user_id, name, task, blob_hash, size_bytes, status, warnings, datetime_created)
    VALUES ('d', 'u', 'd', 'T', 'h', 5, 'READY', '[]', '2026-01-01 00:00:00');
INSERT INTO jobs (id, kind, user_id, app, app_version, status, epoch, n_failed_starts, datetime_started)
    VALUES ('j', 'TRAIN', 'u', 'app', 1, 'RUNNING', 1, 0, '2026-01-01 00:00:00');
INSERT INTO train_jobs (id, task, budget, train_dataset_id, val_dataset_id, seed, active_s)
    VALUES ('j', 'T', '{}', 'd', 'd', 7, 0.5);
INSERT INTO app_versions VALUES ('u', 'app', 1)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rafiki.db"


def schema_of(path: Path) -> dict[str, Any]:
    """All that SQLite knows of the tables, whatever way their SQL is laid out."""
    connection = sqlite3.connect(path)
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    pragmas = ("table_xinfo", "foreign_key_list", "index_list")
    known: dict[str, Any] = {
        f"{pragma} {table}": sorted(str(row[1:]) for row in connection.execute(f"PRAGMA {pragma}('{table}')"))
        for table in tables
        for pragma in pragmas
    }
    known["indexes"] = sorted(
        connection.execute("SELECT name, sql FROM sqlite_master WHERE sql LIKE 'CREATE % INDEX%'")
    )
    connection.close()
    return known


class TestRevisions:
    def test_a_new_database_is_what_the_migrations_make(self, path: Path, tmp_path: Path) -> None:
        Database(path).close()
        engine = create_engine(f"sqlite:///{tmp_path / 'migrated.db'}")
        with engine.begin() as c:
            migrations.upgrade(c)
        with engine.connect() as c:
            from alembic.autogenerate import compare_metadata
            from alembic.migration import MigrationContext

            assert compare_metadata(MigrationContext.configure(c, opts={"compare_type": True}), metadata) == []
            assert c.execute(text("SELECT version_num FROM alembic_version")).scalar() == REVISION
        assert schema_of(path) == schema_of(tmp_path / "migrated.db")

    def test_an_older_one_is_migrated_with_its_rows(
        self, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self._make_with_user(path)
        self._add_revision(tmp_path, monkeypatch, NEXT_REVISION)
        db = Database(path)
        with db.read() as c:
            assert c.execute(text("SELECT email, nickname FROM users")).all() == [("a@b", None)]
            assert c.execute(text("SELECT name FROM datasets")).all() == [("d",)]
            assert c.execute(text("SELECT version_num FROM alembic_version")).scalar() == "next"
        with pytest.raises(IntegrityError), db.write() as c:
            c.execute(text("DELETE FROM users"))  # foreign keys are watched again
        db.close()

    def test_a_migration_that_fails_leaves_all_as_it_was(
        self, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self._make_with_user(path)
        before = schema_of(path)
        self._add_revision(tmp_path, monkeypatch, NEXT_REVISION + "    op.execute('DELETE FROM users')\n")
        with pytest.raises(RuntimeError, match="dangling"):
            Database(path)
        assert schema_of(path) == before
        monkeypatch.undo()
        db = Database(path)
        with db.read() as c:
            assert c.execute(text("SELECT email FROM users")).all() == [("a@b",)]
        db.close()

    def test_a_newer_one_is_refused(self, path: Path) -> None:
        db = Database(path)
        with db.write() as c:
            c.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        db.close()
        with pytest.raises(NewerDatabaseError, match="9999"):
            Database(path)

    def test_one_of_the_first_revision_keeps_its_train_jobs_which_have_no_limits(self, tmp_path: Path) -> None:
        settings = Settings(data_dir=tmp_path, cores=1, gpus=0)
        engine = create_engine(f"sqlite:///{settings.database_path}")
        with engine.begin() as c:
            migrations.upgrade(c, "0001")
            for statement in A_TRAIN_JOB.split(";"):
                c.exec_driver_sql(statement)
        store = Store.open(settings)
        (job,) = store.train_jobs.list_of_user("u")
        assert (job.app, job.budget, job.limits) == ("app", {}, None)
        store.train_jobs.stop(job.id)
        later = store.train_jobs.create("u", "app", "T", "d", "d", {}, None, [], 1, {"trial_time_s": 5.0})
        assert (later.app_version, later.limits) == (2, {"trial_time_s": 5.0})
        store.close()

    def _make_with_user(self, path: Path) -> None:
        db = Database(path)
        with db.write() as c:
            c.execute(text("INSERT INTO users VALUES ('1', 'a@b', 'a@b', 'h', 'ADMIN', NULL, '2026-01-01 00:00:00')"))
            columns = "id, user_id, name, task, blob_hash, size_bytes, status, warnings, datetime_created"
            values = "'2', '1', 'd', 'T', 'h', 5, 'READY', '[]', '2026-01-01 00:00:00'"
            c.execute(text(f"INSERT INTO datasets ({columns}) VALUES ({values})"))
        db.close()

    def _add_revision(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
        folder = tmp_path / "migrations"
        shutil.copytree(migrations.FOLDER, folder)
        (folder / "versions" / "next.py").write_text(code)
        monkeypatch.setattr(migrations, "FOLDER", folder)
        monkeypatch.setattr(database, "REVISION", "next")


class TestTransactions:
    def test_the_files_are_the_owners_alone(self, path: Path) -> None:
        db = Database(path)
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
        assert modes == {"rafiki.db": 0o600, "rafiki.db-wal": 0o600, "rafiki.db-shm": 0o600}
        db.close()

    def test_what_is_acknowledged_is_synced(self, path: Path) -> None:
        db = Database(path)
        for durable, level in ((True, 2), (False, 1), (True, 2)):
            with db.write(durable) as c:
                assert c.exec_driver_sql("PRAGMA synchronous").scalar() == level
                assert c.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
                assert c.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
                assert c.exec_driver_sql("PRAGMA busy_timeout").scalar() == 30_000
        db.close()

    def test_an_error_undoes_all(self, path: Path) -> None:
        db = Database(path)
        with pytest.raises(KeyError), db.write() as c:
            c.execute(insert(meta).values(key="a", value="1"))
            raise KeyError
        with db.write() as c:
            assert c.execute(select(meta)).all() == []
        db.close()

    def test_readers_cannot_write(self, path: Path) -> None:
        db = Database(path)
        with pytest.raises(OperationalError, match="readonly"), db.read() as c:
            c.execute(insert(meta).values(key="a", value="1"))
        db.close()

    def test_a_reader_waits_for_no_writer_and_sees_no_half(self, path: Path) -> None:
        db = Database(path)
        with db.write() as c:
            c.execute(insert(meta).values(key="a", value="1"))
            with db.read() as other:
                assert other.execute(select(meta)).all() == []
        db.close()

    def test_a_write_goes_on_after_one_that_could_not_begin(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.01)
        first, second = Database(path), Database(path)
        with first.write(), pytest.raises((OperationalError, sqlite3.OperationalError), match="locked"), second.write():
            pass
        with second.write() as c:
            c.execute(insert(meta).values(key="a", value="1"))
        first.close()
        second.close()

    def test_threads_share_the_writer(self, path: Path) -> None:
        db = Database(path)
        threads = [threading.Thread(target=lambda: [count_up(db) for _ in range(20)]) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with db.read() as c:
            assert c.execute(select(meta.c.value)).scalar() == "160"
        db.close()


def count_up(db: Database) -> None:
    """Read, then write: what fails, or counts wrongly, unless a write's transaction holds the lock from its start."""
    with db.write(durable=False) as c:
        value = c.execute(select(meta.c.value)).scalar()
        if value is None:
            c.execute(insert(meta).values(key="count", value="1"))
        else:
            c.execute(text("UPDATE meta SET value = :value"), {"value": str(int(value) + 1)})


PROCESS = """
import sys
from pathlib import Path
from sqlalchemy import insert, select, update
from rafiki.store.database import Database
from rafiki.store.schema import meta

print("ready", flush=True)
sys.stdin.readline()
db = Database(Path(sys.argv[1]))
for _ in range(50):
    with db.write() as c:
        value = c.execute(select(meta.c.value)).scalar()
        if value is None:
            c.execute(insert(meta).values(key="count", value="1"))
        else:
            c.execute(update(meta).values(value=str(int(value) + 1)))
db.close()
"""


def test_processes_open_a_new_database_and_read_then_write_at_once(path: Path) -> None:
    command = [sys.executable, "-c", PROCESS, str(path)]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    ends = []
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        _, errors = process.communicate(timeout=60)
        ends.append((process.returncode, errors))
    assert ends == [(0, "")] * 4
    db = Database(path)
    with db.read() as c:
        assert c.execute(select(meta.c.value)).scalar() == "200"
    db.close()
