import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def png(width: int = 4, height: int = 4, value: int = 0, mode: str = "L") -> bytes:
    data = io.BytesIO()
    Image.new(mode, (width, height), value if mode == "L" else (value, 0, 255)).save(data, "PNG")
    return data.getvalue()


@pytest.fixture
def make_zip(tmp_path: Path) -> Callable[[dict[str, bytes | str]], str]:
    """Writes an archive with these members, and returns its path."""

    def make(members: dict[str, bytes | str], name: str = "data.zip") -> str:
        path = tmp_path / name
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for member, content in members.items():
                archive.writestr(member, content)
        return str(path)

    return make


@pytest.fixture
def ten_images(make_zip: Callable[[dict[str, bytes | str]], str]) -> str:
    """Ten grey 6x6 images, each of one value, 0, 20, 40..., of the classes 0, 1, 2, 0, 1..."""
    members: dict[str, bytes | str] = {f"images/{i}.png": png(6, 6, i * 20) for i in range(10)}
    rows = [f"images/{i}.png,{i % 3}" for i in range(10)]
    members["images.csv"] = "\n".join(["path,class", *rows]) + "\n"
    return make_zip(members)


@pytest.fixture
def random_images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (50, 9, 9, 3), dtype=np.uint8)
