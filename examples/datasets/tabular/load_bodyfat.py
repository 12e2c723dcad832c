"""Makes TABULAR datasets from body measurements of 252 men, whose body fat was determined by weighing under water.

Writes data/bodyfat_{train,val}.csv, with the target `bodyfat` as the last column, from bodyfat.csv, which is
downloaded, or taken from a folder:

    python examples/datasets/tabular/load_bodyfat.py
    python examples/datasets/tabular/load_bodyfat.py --from ~/Downloads

The data is StatLib's (http://lib.stat.cmu.edu/datasets/bodyfat). Body fat there was computed from the column
`density`: a model that learns well finds that formula.
"""

import argparse
import sys
from pathlib import Path

from rafiki.tasks.splitting import assign_parts

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # this script may be run from anywhere
from examples.datasets.sources import SourceError, check_shares, find_or_download, read_rows, run_script, write_csv

# One version for good, so that everybody has the same rows.
_URL = "https://raw.githubusercontent.com/ielbadisy/healthdata/76639a4a839481422070c952887e72640a074f1d/bodyfat.csv"
_COLUMNS = (
    "density",
    "age",
    "weight",
    "height",
    "neck",
    "chest",
    "abdomen",
    "hip",
    "thigh",
    "knee",
    "ankle",
    "biceps",
    "forearm",
    "wrist",
    "bodyfat",
)


def load_bodyfat(
    out_train_dataset_path: str = "data/bodyfat_train.csv",
    out_val_dataset_path: str = "data/bodyfat_val.csv",
    validation_split: float = 0.2,
    limit: int | None = None,
    from_dir: str | None = None,
) -> None:
    """Writes the two datasets.

    `validation_split` is the share of the rows that becomes the validation dataset; `limit` bounds the number of rows
    of each. The same arguments always choose the same rows.
    """
    check_shares(limit, validation_split)
    path = find_or_download("bodyfat.csv", _URL, from_dir)
    rows = read_rows(path, _COLUMNS)
    try:
        for row in rows:
            list(map(float, row))
    except ValueError as error:
        raise SourceError(f"{path} has a value that is no number: {error}") from error
    print(f"Read {path}: {len(rows)} rows")

    parts = assign_parts([0] * len(rows), (1 - validation_split, validation_split), seed=0)
    for part, out_path in enumerate((out_train_dataset_path, out_val_dataset_path)):
        chosen = [row for row, its_part in zip(rows, parts, strict=True) if its_part == part]
        write_csv(Path(out_path), _COLUMNS, chosen[:limit])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int, help="the most rows of each dataset (default: all)")
    parser.add_argument("--validation_split", type=float, default=0.2, help="share for validation (default: 0.2)")
    parser.add_argument("--from", dest="from_dir", metavar="DIR", help="the folder that has bodyfat.csv")
    args = parser.parse_args()
    run_script(lambda: load_bodyfat(validation_split=args.validation_split, limit=args.limit, from_dir=args.from_dir))
