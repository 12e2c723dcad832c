"""Makes TABULAR datasets from the Titanic's passenger list: 891 people, and who of them survived.

Writes data/titanic_{train,val}.csv, with the target `Survived` as the last column, from titanic.csv, which is
downloaded, or taken from a folder:

    python examples/datasets/tabular/load_titanic.py
    python examples/datasets/tabular/load_titanic.py --from ~/Downloads
"""

import argparse
import sys
from pathlib import Path

from rafiki.tasks.splitting import assign_parts

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # this script may be run from anywhere
from examples.datasets.sources import SourceError, check_shares, find_or_download, read_rows, run_script, write_csv

_URL = "https://raw.githubusercontent.com/mwaskom/seaborn-data/master/raw/titanic.csv"
_COLUMNS = (
    "Pclass",
    "Name",
    "Sex",
    "Age",
    "SibSp",
    "Parch",
    "Ticket",
    "Fare",
    "Cabin",
    "Embarked",
    "Survived",
)


def load_titanic(
    out_train_dataset_path: str = "data/titanic_train.csv",
    out_val_dataset_path: str = "data/titanic_val.csv",
    validation_split: float = 0.2,
    limit: int | None = None,
    from_dir: str | None = None,
) -> None:
    """Writes the two datasets.

    `validation_split` is the share of the rows that becomes the validation dataset, with as many survivors among them
    as among all; `limit` bounds the number of rows of each. The same arguments always choose the same rows.
    """
    check_shares(limit, validation_split)
    path = find_or_download("titanic.csv", _URL, from_dir)
    rows = read_rows(path, _COLUMNS)
    odd = [row[-1] for row in rows if row[-1] not in ("0", "1")]
    if odd:
        raise SourceError(f"{path} has {odd[0]!r} as a value of 'Survived'; expected 0 or 1")
    print(f"Read {path}: {len(rows)} rows")

    parts = assign_parts([row[-1] for row in rows], (1 - validation_split, validation_split), seed=0)
    for part, out_path in enumerate((out_train_dataset_path, out_val_dataset_path)):
        chosen = [row for row, its_part in zip(rows, parts, strict=True) if its_part == part]
        write_csv(Path(out_path), _COLUMNS, chosen[:limit])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int, help="the most rows of each dataset (default: all)")
    parser.add_argument("--validation_split", type=float, default=0.2, help="share for validation (default: 0.2)")
    parser.add_argument("--from", dest="from_dir", metavar="DIR", help="the folder that has titanic.csv")
    args = parser.parse_args()
    run_script(lambda: load_titanic(validation_split=args.validation_split, limit=args.limit, from_dir=args.from_dir))
