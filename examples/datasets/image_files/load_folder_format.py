"""Makes IMAGE_FILES datasets from images in folders, one folder per class: the way most people have their images.

Writes data/NAME_{train,val,test}.zip and data/NAME_meta.csv (the folders' names by class), from a folder such as
pets/cat/*.jpg, pets/dog/*.png, or, without one, from the download of some 3,700 photos of five kinds of flowers:

    python examples/datasets/image_files/load_folder_format.py --from ~/pets
    python examples/datasets/image_files/load_folder_format.py

The images are copied as they are. NAME is that of the folder, or what `--name` says.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from rich.progress import track

from rafiki.model import dataset
from rafiki.tasks.splitting import assign_parts

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # this script may be run from anywhere
from examples.datasets.sources import SourceError, check_shares, find_or_download, run_script, unpack, write_csv

_URL = "https://storage.googleapis.com/download.tensorflow.org/example_images/flower_photos.tgz"
_SUFFIXES = {".png", ".jpg", ".jpeg"}


def load_folder_format(
    from_dir: str | None = None,
    name: str | None = None,
    out_dir: str = "data",
    validation_split: float = 0.1,
    test_split: float = 0.1,
    limit: int | None = None,
) -> dict[str, str]:
    """Writes the three datasets and the names of the classes into `out_dir`; the datasets' paths by `train`, `val`,
    `test`.

    A class's number is its folder's position among their names in alphabetical order. The splits are shares of the
    images of each class, `limit` bounds the number of images of each dataset. The same arguments always choose the
    same images.
    """
    check_shares(limit, validation_split, test_split)
    folder = _find_folder(from_dir)
    folders = _folders_of_classes(folder)
    images = [(image, i) for i, images in enumerate(folders.values()) for image in images]
    if len(images) < 3:
        raise SourceError(f"{folder} has {len(images)} images; expected at least 3")
    print(f"Read {folder}: {len(images)} images of {len(folders)} classes")

    shares = (1 - validation_split - test_split, validation_split, test_split)
    parts = assign_parts([image_class for _, image_class in images], shares, seed=0)
    # Their order is that of the classes; whoever takes the first ones shall get some of each.
    shuffled = np.random.default_rng(0).permutation(len(images)).tolist()
    paths = {}
    for part, part_name in enumerate(("train", "val", "test")):
        chosen = [images[i] for i in shuffled if parts[i] == part][:limit]
        paths[part_name] = str(Path(out_dir) / f"{name or folder.name}_{part_name}.zip")
        _write(paths[part_name], chosen)
    meta = [(str(i), class_name) for i, class_name in enumerate(folders)]
    write_csv(Path(out_dir) / f"{name or folder.name}_meta.csv", ("class", "name"), meta)
    return paths


def _find_folder(from_dir: str | None) -> Path:
    """The folder whose folders are the classes."""
    packed = None if from_dir is None else Path(from_dir) / "flower_photos.tgz"
    if packed is not None and not packed.is_file():
        folder = Path(str(from_dir))
        if not folder.is_dir():
            raise SourceError(f"{folder} is not a folder")
        return folder.resolve()
    unpacked = unpack(find_or_download("flower_photos.tgz", _URL, from_dir))
    return unpacked / "flower_photos" if (unpacked / "flower_photos").is_dir() else unpacked


def _folders_of_classes(folder: Path) -> dict[str, list[Path]]:
    """The images of each class, at any depth beneath its folder, by the class's name; both in order."""
    found = {}
    for of_class in sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")):
        images = sorted(path for path in of_class.rglob("*") if path.suffix.lower() in _SUFFIXES and path.is_file())
        if images:
            found[of_class.name] = images
    if len(found) < 2:
        names = ", ".join(found) or "none"
        raise SourceError(f"{folder} has images (.png, .jpg, .jpeg) in these folders: {names}; expected one per class")
    return found


def _write(path: str, chosen: Sequence[tuple[Path, int]]) -> None:
    files = (_checked(image) for image, _ in track(chosen, f"{path}: {len(chosen)} images"))
    dataset.write_dataset_of_image_files(path, files, [image_class for _, image_class in chosen])


def _checked(path: Path) -> Path:
    try:
        with Image.open(path, formats=("PNG", "JPEG")) as image:
            image.load()
    except (OSError, SyntaxError, ValueError) as error:  # what decoders raise on broken files
        raise SourceError(f"{path} is not a readable PNG or JPEG file: {error}") from error
    return path


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--from", dest="from_dir", metavar="DIR", help="the folder that has one folder per class")
    parser.add_argument("--name", help="the datasets' name (default: the folder's)")
    parser.add_argument("--out_dir", default="data", help="where to write (default: data)")
    parser.add_argument("--limit", type=int, help="the most images of each dataset (default: all)")
    parser.add_argument("--validation_split", type=float, default=0.1, help="share for validation (default: 0.1)")
    parser.add_argument("--test_split", type=float, default=0.1, help="share for tests (default: 0.1)")
    args = parser.parse_args()
    run_script(
        lambda: load_folder_format(
            args.from_dir, args.name, args.out_dir, args.validation_split, args.test_split, args.limit
        )
    )
