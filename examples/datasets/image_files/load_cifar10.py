"""Makes IMAGE_FILES datasets from CIFAR-10: 60,000 colour 32x32 images of 10 kinds of animals and vehicles.

Writes data/cifar10_{train,val,test}.zip and data/cifar10_meta.csv, from cifar-10-binary.tar.gz, which is downloaded, or
taken from a folder (as it is, or unpacked):

    python examples/datasets/image_files/load_cifar10.py --limit 1000
    python examples/datasets/image_files/load_cifar10.py --from ~/Downloads

Of the versions of CIFAR-10 this takes the binary one: the one for Python is pickled, and would run what is in it.
"""

import argparse
import math
import sys
import tarfile
import zlib
from pathlib import Path

import numpy as np
from rich.progress import track

from rafiki.model import dataset

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # this script may be run from anywhere
from examples.datasets.sources import SourceError, check_shares, find_or_download, run_script, write_table

_FILE = "cifar-10-binary.tar.gz"
_URL = f"https://www.cs.toronto.edu/~kriz/{_FILE}"
_MD5 = "c32a1d4ab5d03f1284b67883e8d87530"
_TRAIN = tuple(f"data_batch_{i}.bin" for i in range(1, 6))
_TEST = ("test_batch.bin",)
_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
#: A record is the class, then the red, the green and the blue values of the image, each row by row.
_RECORD_BYTES = 1 + 3 * 32 * 32


def load_cifar10(
    out_train_dataset_path: str = "data/cifar10_train.zip",
    out_val_dataset_path: str = "data/cifar10_val.zip",
    out_test_dataset_path: str = "data/cifar10_test.zip",
    out_meta_csv_path: str = "data/cifar10_meta.csv",
    validation_split: float = 0.1,
    limit: int | None = None,
    from_dir: str | None = None,
) -> None:
    """Writes the three datasets and the names of the classes.

    `validation_split` is the share of the training images that becomes the validation dataset; `limit` bounds the
    number of images of each of the three. The same arguments always choose the same images.
    """
    check_shares(limit, validation_split)
    files = _read_files(from_dir)
    images, classes = _parse(files, _TRAIN)
    test_images, test_classes = _parse(files, _TEST)

    random = np.random.default_rng(0)
    order = random.permutation(len(images))
    n_val = min(max(1, math.floor(len(images) * validation_split)), len(images) - 1)
    _write(out_train_dataset_path, images, classes, order[n_val:][:limit])
    _write(out_val_dataset_path, images, classes, order[:n_val][:limit])
    _write(out_test_dataset_path, test_images, test_classes, random.permutation(len(test_images))[:limit])
    write_table(Path(out_meta_csv_path), ",", ("class", "name"), list(enumerate(_CLASSES)))


def _read_files(from_dir: str | None) -> dict[str, bytes]:
    """The `.bin` files by name, from the archive, or from a folder anywhere beneath which they lie."""
    if from_dir is not None and not (Path(from_dir) / _FILE).is_file():
        return {path.name: path.read_bytes() for path in sorted(Path(from_dir).rglob("*_batch*.bin"))}
    path = find_or_download(_FILE, _URL, from_dir, _MD5)
    try:
        with tarfile.open(path) as archive:
            found = {}
            for member in archive:
                file = archive.extractfile(member) if member.name.endswith(".bin") else None
                if file is not None:
                    found[Path(member.name).name] = file.read()
            return found
    except (OSError, EOFError, tarfile.TarError, zlib.error) as error:
        raise SourceError(f"{path} cannot be unpacked: {error}") from error


def _parse(files: dict[str, bytes], names: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """The images (N x 32 x 32 x 3) and classes of some files."""
    records = []
    for name in names:
        if name not in files:
            raise SourceError(f"there is no '{name}'; expected {_FILE}, or what is in it")
        data = files[name]
        if not data or len(data) % _RECORD_BYTES:
            raise SourceError(f"{name} has {len(data)} bytes; expected a multiple of {_RECORD_BYTES}")
        records.append(np.frombuffer(data, np.uint8).reshape(-1, _RECORD_BYTES))
    joined = np.concatenate(records)
    classes = joined[:, 0]
    if classes.max() >= len(_CLASSES):
        raise SourceError(f"a class in {', '.join(names)} is {classes.max()}, expected 0 to {len(_CLASSES) - 1}")
    return joined[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), classes


def _write(path: str, images: np.ndarray, classes: np.ndarray, chosen: np.ndarray) -> None:
    progress = track(images[chosen], f"{path}: {len(chosen)} images")
    dataset.write_dataset_of_image_files(path, progress, classes[chosen].tolist())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int, help="the most images of each dataset (default: all)")
    parser.add_argument("--validation_split", type=float, default=0.1, help="share for validation (default: 0.1)")
    parser.add_argument("--from", dest="from_dir", metavar="DIR", help=f"the folder that has {_FILE} or its content")
    args = parser.parse_args()
    run_script(lambda: load_cifar10(validation_split=args.validation_split, limit=args.limit, from_dir=args.from_dir))
