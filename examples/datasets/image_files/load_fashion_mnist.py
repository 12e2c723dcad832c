"""Makes IMAGE_FILES datasets from Fashion-MNIST: 70,000 grey 28x28 images of 10 kinds of clothes.

Writes data/fashion_mnist_{train,val,test}.zip and data/fashion_mnist_meta.csv, from four files that are downloaded, or
taken from a folder:

    python examples/datasets/image_files/load_fashion_mnist.py --limit 1000
    python examples/datasets/image_files/load_fashion_mnist.py --from ~/Downloads/fashion
"""

import argparse
import gzip
import math
import sys
import zlib
from pathlib import Path

import numpy as np
from rich.progress import track

from rafiki.model import dataset

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # this script may be run from anywhere
from examples.datasets.sources import SourceError, check_shares, find_or_download, run_script, write_table

_URL = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
_MD5 = {
    "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
    "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
    "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
}
_CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
#: A file of the IDX format begins with two zeros, the type of its values (8: bytes) and its number of dimensions.
_IDX_BYTES = b"\0\0\x08"


def load_fashion_mnist(
    out_train_dataset_path: str = "data/fashion_mnist_train.zip",
    out_val_dataset_path: str = "data/fashion_mnist_val.zip",
    out_test_dataset_path: str = "data/fashion_mnist_test.zip",
    out_meta_csv_path: str = "data/fashion_mnist_meta.csv",
    validation_split: float = 0.1,
    limit: int | None = None,
    from_dir: str | None = None,
) -> None:
    """Writes the three datasets and the names of the classes.

    `validation_split` is the share of the training images that becomes the validation dataset; `limit` bounds the
    number of images of each of the three. The same arguments always choose the same images.
    """
    check_shares(limit, validation_split)
    images, classes = _read_part("train", from_dir)
    test_images, test_classes = _read_part("t10k", from_dir)

    random = np.random.default_rng(0)
    order = random.permutation(len(images))
    n_val = min(max(1, math.floor(len(images) * validation_split)), len(images) - 1)
    _write(out_train_dataset_path, images, classes, order[n_val:][:limit])
    _write(out_val_dataset_path, images, classes, order[:n_val][:limit])
    _write(out_test_dataset_path, test_images, test_classes, random.permutation(len(test_images))[:limit])
    write_table(Path(out_meta_csv_path), ",", ("class", "name"), list(enumerate(_CLASSES)))


def _read_part(part: str, from_dir: str | None) -> tuple[np.ndarray, np.ndarray]:
    """The images (N x 28 x 28) and classes of the training or the test files."""
    images = _read_idx(f"{part}-images-idx3-ubyte.gz", 3, from_dir)
    classes = _read_idx(f"{part}-labels-idx1-ubyte.gz", 1, from_dir)
    if len(images) != len(classes) or len(images) < 2:
        raise SourceError(f"the {part} files have {len(images)} images and {len(classes)} labels, expected as many")
    if classes.max() >= len(_CLASSES):
        raise SourceError(f"a {part} label is {classes.max()}, expected 0 to {len(_CLASSES) - 1}")
    return images, classes


def _read_idx(file_name: str, n_dimensions: int, from_dir: str | None) -> np.ndarray:
    path = find_or_download(file_name, _URL + file_name, from_dir, _MD5[file_name])
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise SourceError(f"{path} cannot be unpacked: {error}") from error
    header_bytes = 4 + 4 * n_dimensions
    if data[:4] != _IDX_BYTES + bytes([n_dimensions]) or len(data) < header_bytes:
        raise SourceError(f"{path} is not an IDX file of bytes in {n_dimensions} dimensions")
    shape = tuple(np.frombuffer(data, ">u4", n_dimensions, offset=4).tolist())
    if len(data) - header_bytes != math.prod(shape):
        raise SourceError(f"{path} holds {len(data) - header_bytes} values, expected {math.prod(shape)} for {shape}")
    return np.frombuffer(data, np.uint8, offset=header_bytes).reshape(shape)


def _write(path: str, images: np.ndarray, classes: np.ndarray, chosen: np.ndarray) -> None:
    progress = track(images[chosen], f"{path}: {len(chosen)} images")
    dataset.write_dataset_of_image_files(path, progress, classes[chosen].tolist())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int, help="the most images of each dataset (default: all)")
    parser.add_argument("--validation_split", type=float, default=0.1, help="share for validation (default: 0.1)")
    parser.add_argument("--from", dest="from_dir", metavar="DIR", help="the folder that has the four files")
    args = parser.parse_args()
    run_script(
        lambda: load_fashion_mnist(validation_split=args.validation_split, limit=args.limit, from_dir=args.from_dir)
    )
