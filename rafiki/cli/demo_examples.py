"""What the demo takes from the project's `examples` folder: real data and two model templates."""

from __future__ import annotations

import csv
import importlib.util
import io
import zipfile
from contextlib import redirect_stdout
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

from rafiki.errors import RafikiError

TASK = "IMAGE_CLASSIFICATION"
TEMPLATES = ("SkDt", "SkSvm")
_DIGITS = "examples/datasets/image_files/load_digits.py"
_MODELS = "examples/models/image_classification"


class Examples:
    """Found in the current folder, else beside the installed package (a development checkout)."""

    def __init__(self) -> None:
        roots = (Path.cwd(), Path(__file__).parents[2])
        found = next((root for root in roots if (root / _DIGITS).is_file()), None)
        if found is None:
            raise RafikiError(f"the demo needs {_DIGITS}", hint="run it in a clone of Rafiki's repository")
        self._root = found

    def make_digits(self, folder: Path) -> dict[str, Path]:
        """Writes the digits as IMAGE_FILES; paths by `train`, `val`, `test`."""
        script = _import_file(self._root / _DIGITS)
        with redirect_stdout(io.StringIO()):  # the demo has its own words
            paths = script.load_digits(str(folder))
        return {part: Path(path) for part, path in paths.items()}

    def template_path(self, name: str) -> Path:
        return self._root / _MODELS / f"{name}.py"

    def template_class(self, name: str) -> Any:
        return getattr(_import_file(self.template_path(name)), name)


def template_dependencies() -> dict[str, str]:
    """What the templates need, in the version that is installed here."""
    return {"scikit-learn": version("scikit-learn")}


def read_images(path: Path) -> tuple[list[Any], list[int]]:
    """The images of an IMAGE_FILES archive, as any user of an app would have them, and their true classes."""
    import numpy as np
    from PIL import Image

    with zipfile.ZipFile(path) as archive:
        rows = list(csv.DictReader(io.StringIO(archive.read("images.csv").decode())))
        images = [np.asarray(Image.open(archive.open(row["path"])).convert("RGB")) for row in rows]
    return images, [int(row["class"]) for row in rows]


def _import_file(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
