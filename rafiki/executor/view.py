"""Which of the machine's files a Python program needs to see."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path


def python_paths(python: Path) -> list[Path]:
    """The folders of an interpreter: its virtual environment, if it has one, and its installation.

    Where an interpreter is reached through links, every place on the way must be there: a virtual environment's
    `python` is a link, and its `pyvenv.cfg` names the installation by a path of its own. A link that lies in a folder
    of other things (`~/bin/python`) brings only itself.
    """
    paths: list[Path] = []
    for place in _links(python):
        prefix = place.parent.parent
        paths.append(prefix if _is_python_prefix(prefix) else place)
    home = _home_of(python.parent.parent / "pyvenv.cfg")
    if home is not None and _is_python_prefix(home.parent):
        paths.append(home.parent)
    return list(dict.fromkeys(paths))


def _links(path: Path) -> Iterator[Path]:
    """The path, where it leads if it is a link, and so on; last the file itself, through no linked folder."""
    for _ in range(40):  # as many as the kernel follows
        yield path
        if not path.is_symlink():
            break
        path = Path(os.path.normpath(path.parent / path.readlink()))
    yield path.resolve()


def _is_python_prefix(folder: Path) -> bool:
    if folder == Path("/"):
        return False
    return (folder / "pyvenv.cfg").exists() or any(folder.glob("lib*/python3*/os.py"))


def _home_of(config_path: Path) -> Path | None:
    """The installation's `bin` that a `pyvenv.cfg` names."""
    try:
        lines = config_path.read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    for line in lines:
        key, _, value = line.partition("=")
        if key.strip() == "home":
            return Path(value.strip())
    return None
