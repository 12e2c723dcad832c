"""Bytes by content: whole and durable, or not there."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
import sys
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rafiki.store.blobs import Blobs

DATA = b"some bytes"
HASH = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path / "blobs")


def files(blobs: Blobs) -> list[str]:
    return sorted(path.name for path in blobs._folder.rglob("*") if path.is_file())


def test_what_is_committed_is_there_read_only(blobs: Blobs) -> None:
    writer = blobs.writer()
    writer.write(DATA[:4])
    writer.write(memoryview(DATA[4:]))
    assert not blobs.exists(HASH)
    assert writer.commit() == (HASH, len(DATA))
    assert blobs.exists(HASH)
    assert blobs.path(HASH).read_bytes() == DATA
    assert stat.S_IMODE(blobs.path(HASH).stat().st_mode) == 0o444
    writer.abort()
    assert files(blobs) == [HASH]


def test_empty_is_a_blob_too(blobs: Blobs) -> None:
    assert blobs.path(blobs.put_bytes(b"")).read_bytes() == b""


def test_an_abort_leaves_nothing(blobs: Blobs) -> None:
    writer = blobs.writer()
    writer.write(DATA)
    writer.abort()
    writer.abort()
    with pytest.raises(KeyError), blobs.writer() as writer:
        writer.write(DATA)
        raise KeyError
    assert files(blobs) == []


def test_the_same_content_many_times_at_once_is_one_blob(blobs: Blobs) -> None:
    data = os.urandom(300_000)
    with ThreadPoolExecutor(8) as pool:
        hashes = list(pool.map(lambda _: blobs.put_bytes(data), range(24)))
    assert set(hashes) == {hashlib.sha256(data).hexdigest()}
    assert files(blobs) == [hashes[0]]
    assert blobs.path(hashes[0]).read_bytes() == data


def test_delete(blobs: Blobs) -> None:
    blobs.put_bytes(DATA)
    blobs.delete(HASH)
    blobs.delete(HASH)
    assert not blobs.exists(HASH)
    with pytest.raises(FileNotFoundError, match=HASH):
        blobs.path(HASH)


@pytest.mark.parametrize("name", ["", "../" * 8 + "etc/passwd", HASH.upper(), HASH[:-1], HASH + "\n", "a/" * 32])
def test_only_a_hash_names_a_blob(blobs: Blobs, name: str) -> None:
    for look in (blobs.path, blobs.exists, blobs.delete):
        with pytest.raises(ValueError, match="64 hexadecimal digits"):
            look(name)


class TestPutFile:
    def test_a_moved_file_becomes_the_blob_itself(self, blobs: Blobs, tmp_path: Path) -> None:
        path = tmp_path / "params"
        path.write_bytes(DATA)
        inode = path.stat().st_ino
        assert blobs.put_file(path) == HASH
        assert not path.exists()
        assert blobs.path(HASH).stat().st_ino == inode
        assert stat.S_IMODE(blobs.path(HASH).stat().st_mode) == 0o444
        path.write_bytes(DATA)
        assert blobs.put_file(path) == HASH
        assert not path.exists()
        assert files(blobs) == [HASH]

    def test_a_copied_file_stays(self, blobs: Blobs, tmp_path: Path) -> None:
        path = tmp_path / "params"
        path.write_bytes(DATA)
        assert blobs.put_file(path, move=False) == HASH
        assert path.read_bytes() == DATA
        assert blobs.path(HASH).read_bytes() == DATA

    def test_whoever_still_writes_to_it_cannot_change_the_blob(self, blobs: Blobs, tmp_path: Path) -> None:
        path = tmp_path / "params"
        with path.open("wb", buffering=0) as file:
            file.write(DATA)
            assert blobs.put_file(path) == HASH
            file.seek(0)
            file.write(b"XXXX")
        assert blobs.path(HASH).read_bytes() == DATA
        assert not path.exists()
        assert files(blobs) == [HASH]

    def test_another_name_of_it_is_not_one_of_the_blob(self, blobs: Blobs, tmp_path: Path) -> None:
        path, other = tmp_path / "params", tmp_path / "other"
        path.write_bytes(DATA)
        other.hardlink_to(path)
        assert blobs.put_file(path) == HASH
        other.write_bytes(b"XXXX")
        assert blobs.path(HASH).read_bytes() == DATA
        assert files(blobs) == [HASH]

    def test_only_regular_files_are_taken(self, blobs: Blobs, tmp_path: Path) -> None:
        secret, link, pipe = tmp_path / "secret", tmp_path / "link", tmp_path / "pipe"
        secret.write_bytes(DATA)
        link.symlink_to(secret)
        os.mkfifo(pipe)
        for path in (link, pipe, tmp_path):
            with pytest.raises(ValueError, match="no regular file"):
                blobs.put_file(path)
        with pytest.raises(FileNotFoundError):
            blobs.put_file(tmp_path / "none")
        assert files(blobs) == []


class TestSweep:
    def test_what_a_killed_process_left_is_removed_and_what_is_being_written_is_not(self, blobs: Blobs) -> None:
        code = (
            "import os, sys; from pathlib import Path; from rafiki.store.blobs import Blobs\n"
            "writer = Blobs(Path(sys.argv[1])).writer(); writer.write(b'x' * 10**6); os.kill(os.getpid(), 9)"
        )
        assert subprocess.run([sys.executable, "-c", code, str(blobs._folder)]).returncode == -9
        assert len(files(blobs)) == 1
        with blobs.writer() as writer:
            writer.write(DATA)
            assert Blobs(blobs._folder).sweep_partial() == 1
            writer.commit()
        assert files(blobs) == [HASH]
        assert blobs.sweep_partial() == 0

    def test_older_than_counts_from_the_last_put(self, blobs: Blobs) -> None:
        blobs.put_bytes(DATA)
        os.utime(blobs.path(HASH), (1000, 1000))
        assert list(blobs.older_than(60)) == [HASH]
        blobs.put_bytes(DATA)
        assert list(blobs.older_than(60)) == []


def test_a_stream_takes_no_memory(blobs: Blobs) -> None:
    chunk = bytes(1 << 20)
    tracemalloc.start()
    try:
        with blobs.writer() as writer:
            for _ in range(64):
                writer.write(chunk)
            assert writer.commit()[1] == 64 << 20
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
