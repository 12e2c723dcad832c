"""Files that are there whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from rafiki.model.atomic import new_file


def test_a_file_is_there_once_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    with new_file(str(path)) as file:
        file.write(b"whole")
        assert not path.exists()
    assert path.read_bytes() == b"whole"
    assert list(path.parent.iterdir()) == [path]


def test_two_writers_of_one_process_number_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with new_file(str(path)) as one, new_file(str(path)) as other:  # as two workers are, each in its own sandbox
        one.write(b"a much longer content")
        other.write(b"short")
    assert path.read_bytes() == b"a much longer content"
    assert list(tmp_path.iterdir()) == [path]


def test_what_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError), new_file(str(tmp_path / "file")) as file:
        file.write(b"half")
        raise ValueError
    assert list(tmp_path.iterdir()) == []
