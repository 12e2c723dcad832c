"""What is seen of a worker's processes and files."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rafiki.entities import FailureCode
from rafiki.executor import Limits
from rafiki.executor.meter import Meter
from rafiki.executor.scratch import remove_folder
from rafiki.executor.usage import (
    Usage,
    folder_bytes,
    n_oom_kills,
    process_tree,
    unlinked_bytes,
    usage_of,
    uses_more_memory,
)

MB = 2**20


@contextmanager
def process(code: str) -> Iterator[int]:
    """The pid of one that has run this code and waits."""
    program = f"import mmap, os, sys, threading, time\n{code}\nprint('ready', flush=True)\nsys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as started:
        assert started.stdin is not None and started.stdout is not None
        assert started.stdout.readline() == b"ready\n"
        yield started.pid
        started.stdin.close()


def test_memory_is_what_is_resident_and_not_of_files(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(50 * MB))
    with process("") as pid:
        least = usage_of(pid, 10).memory_bytes
    mapped = f"m = mmap.mmap(os.open({str(path)!r}, os.O_RDONLY), 0, prot=mmap.PROT_READ); sum(m[::4096])"
    for code, more in ((mapped, 0), ("b = bytearray(b'x') * (40 << 20)", 40), ("m = mmap.mmap(-1, 2**30)", 0)):
        with process(code) as pid:
            assert usage_of(pid, 10).memory_bytes == pytest.approx(least + more * MB, abs=4 * MB)
    shared = "m = mmap.mmap(-1, 2**25)\nfor i in range(0, 2**25, 4096): m[i] = 1"
    with process(shared) as pid:
        assert usage_of(pid, 10).memory_bytes == pytest.approx(least + 32 * MB, abs=4 * MB)
        assert uses_more_memory(pid, 10, 30 * MB)


def test_what_children_share_is_counted_once() -> None:
    code = "b = bytearray(b'x') * (40 << 20)\nif os.fork() == 0 or os.fork() == 0: sys.stdin.read(); os._exit(0)"
    with process(code) as pid:
        assert len(process_tree(pid, 10)) == 3
        assert usage_of(pid, 10).memory_bytes > 120 * MB
        assert not uses_more_memory(pid, 10, 70 * MB)
        assert uses_more_memory(pid, 10, 30 * MB)


def test_processes_threads_and_their_time_are_counted() -> None:
    code = """
for _ in range(3): threading.Thread(target=threading.Event().wait, daemon=True).start()
if os.fork() == 0:
    if os.fork() == 0: sys.stdin.read(); os._exit(0)
    end = time.process_time() + 0.2
    while time.process_time() < end: pass
    os._exit(0)
os.wait()"""
    with process(code) as pid:
        usage = usage_of(pid, 10)
    assert usage.n_tasks == 4  # the grandchild has no parent any more: whoever keeps a worker's processes has it
    assert usage.cpu_s > 0.17  # 0.2 s, of which the kernel tells whole ticks of 0.01 s for each kind of time
    assert usage_of(pid, 10) == Usage()  # it has ended


def test_files_are_counted_however_they_are_hidden(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "large").write_bytes(os.urandom(3 * MB))
    with (tmp_path / "sparse").open("wb") as sparse:
        sparse.truncate(2**40)
    (tmp_path / "link").symlink_to("/usr")
    counted = folder_bytes(tmp_path, 2**50)
    assert counted == pytest.approx(3 * MB, abs=MB // 10)
    path = tmp_path / "unlinked"
    with process(f"f = open({str(path)!r}, 'wb'); f.write(os.urandom(2**20)); f.flush(); os.unlink(f.name)") as pid:
        assert not path.exists()
        assert unlinked_bytes(pid, 10) == MB
    limits = Limits(scratch_bytes=MB)
    looks = [Meter(os.getpid(), limits, (tmp_path,)).look]
    found = next(filter(None, (look() for look in looks * 5)))
    assert found.code == FailureCode.DISK_FULL


def test_folders_that_nobody_can_read_or_that_lie_too_deep_are_told_and_removed(tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    code = (
        f"os.chdir({str(scratch)!r})\nfor _ in range(1100): os.mkdir('deep'); os.chdir('deep')\nopen('f', 'w').close()"
    )
    with process(code):
        pass
    assert folder_bytes(scratch, 2**50) is None
    (scratch / "closed").mkdir()
    (scratch / "closed" / "file").touch()
    (scratch / "closed").chmod(0)
    (scratch / "link").symlink_to(tmp_path)
    (tmp_path / "kept").touch()
    remove_folder(scratch)
    assert not scratch.exists()
    assert (tmp_path / "kept").exists()


def test_cpu_time_counts_from_when_it_is_limited() -> None:
    meter = Meter(os.getpid(), Limits(), ())
    assert meter.look() is None
    meter.limit_cpu(1000.0)
    assert meter.look() is None
    meter.limit_cpu(1e-9)
    sum(range(3_000_000))
    found = meter.look()
    assert found is not None
    assert found.code == FailureCode.CPU_LIMIT
    meter.limit_cpu(None)
    assert meter.look() is None


@pytest.mark.parametrize(
    "text",
    ["oom_kill_disable 0\nunder_oom 0\noom_kill 3\n", "low 0\nhigh 0\nmax 90\noom 5\noom_kill 3\noom_group_kill 0\n"],
)
def test_what_the_kernel_killed_is_counted_in_old_and_new_control_groups(tmp_path: Path, text: str) -> None:
    (tmp_path / "counter").write_text(text)
    assert n_oom_kills(tmp_path / "counter") == 3
    assert n_oom_kills(tmp_path / "gone") == 0
