"""Makes IMAGE_FILES datasets from scikit-learn's digits: 1,797 grey 8x8 images of handwritten 0 to 9.

Writes data/digits_{train,val,test}.zip and data/digits_meta.csv. Needs no download: the images come with scikit-learn.

    python examples/datasets/image_files/load_digits.py
"""

import argparse
from pathlib import Path

import numpy as np
from sklearn import datasets

from rafiki.model import dataset

_VAL_SHARE = 0.2
_TEST_SHARE = 0.2


def load_digits(out_dir: str = "data") -> dict[str, str]:
    """Writes the datasets into `out_dir`; their paths by `train`, `val`, `test`. Always the same split."""
    digits = datasets.load_digits()
    # From 0..16 to 0..255.
    images = np.round(digits.images * (255 / 16)).astype(np.uint8)
    classes = digits.target.tolist()

    order = np.random.default_rng(0).permutation(len(images))
    n_val, n_test = int(len(images) * _VAL_SHARE), int(len(images) * _TEST_SHARE)
    parts = {"val": order[:n_val], "test": order[n_val : n_val + n_test], "train": order[n_val + n_test :]}

    paths = {}
    for part in ("train", "val", "test"):
        paths[part] = str(Path(out_dir) / f"digits_{part}.zip")
        dataset.write_dataset_of_image_files(paths[part], images[parts[part]], [classes[i] for i in parts[part]])
        print(f"{paths[part]}: {len(parts[part])} images")

    meta = ["class,name"] + [f"{i},{name}" for i, name in enumerate(digits.target_names)]
    (Path(out_dir) / "digits_meta.csv").write_text("\n".join(meta) + "\n")
    return paths


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out_dir", default="data", help="where to write (default: data)")
    load_digits(parser.parse_args().out_dir)
