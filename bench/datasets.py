"""How quickly a dataset of images is loaded and normalised, against the way it is done by hand.

    python bench/datasets.py [--images 10000] [--rounds 3]

Makes an archive of PNG files (scikit-learn's digits, enlarged to 28x28 and shifted at random), and loads it in
processes of their own, passing over all items once:

- by hand: the archive extracted to disk, its files opened one by one, each time they are passed over;
- Rafiki, first load: `load_dataset_of_image_files` with an empty folder for decoded images;
- Rafiki, later load: the same in another process, as a job's later trials do.

Prints the median seconds and each process's peak memory (RSS) beyond that of a process which only imports, and then
`normalize_images` against `images / 255` with mean and standard deviation in float64, and whether the values agree.
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from rafiki.model import DatasetUtils

_WAYS = ("imports only", "by hand", "Rafiki, first load", "Rafiki, later load")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)  # what the processes of their own are asked for
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(*arguments.measure)))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = make_archive(Path(folder) / "images.zip", arguments.images)
        print(f"{arguments.images} images of 28 x 28, {path.stat().st_size / 2**20:.1f} MiB, {arguments.rounds} rounds")
        compare_loads(path, Path(folder), arguments.rounds)
        compare_normalizations(path, arguments.rounds)


def make_archive(path: Path, n_images: int) -> Path:
    from sklearn.datasets import load_digits

    digits = load_digits()
    random = np.random.default_rng(0)
    chosen = np.arange(n_images) % len(digits.images)
    images = []
    for image, shift in zip(digits.images[chosen] * (255 / 16), random.integers(-3, 4, (n_images, 2)), strict=True):
        large = np.asarray(Image.fromarray(image).resize((28, 28), Image.Resampling.BICUBIC))
        images.append(np.clip(np.roll(large, shift, axis=(0, 1)), 0, 255).astype(np.uint8))
    DatasetUtils().write_dataset_of_image_files(str(path), images, digits.target[chosen])
    return path


def compare_loads(path: Path, folder: Path, rounds: int) -> None:
    rows: dict[str, list[dict[str, float]]] = {way: [] for way in _WAYS}
    for i in range(rounds):
        for way in _WAYS:  # interleaved, so that a busy moment does not hit one way alone
            rows[way].append(measure_alone(way, path, folder / f"round_{i}"))
    sums = {row["sum"] for way in _WAYS[1:] for row in rows[way]}
    if len(sums) != 1:
        raise SystemExit(f"the ways give different images: {sums}")
    base_mb = statistics.median(row["peak_mb"] for row in rows["imports only"])
    by_hand_s = statistics.median(row["load_s"] for row in rows["by hand"])
    print(f"{'load and one pass':22} {'seconds':>9} {'times faster':>13} {'peak MB':>9}")
    for way in _WAYS[1:]:
        seconds = statistics.median(row["load_s"] for row in rows[way])
        peak_mb = max(row["peak_mb"] for row in rows[way]) - base_mb
        print(f"{way:22} {seconds:9.4f} {by_hand_s / seconds:12.1f}x {peak_mb:9.0f}")


def measure_alone(way: str, path: Path, folder: Path) -> dict[str, float]:
    command = [sys.executable, __file__, "--measure", way, str(path), str(folder)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return dict(json.loads(answer))


def measure(way: str, path: str, folder: str) -> dict[str, float]:
    """Seconds of a load and a pass, the sum of all first pixels and classes as a proof of work, peak memory."""
    Image.init()
    started = time.perf_counter()
    total = 0
    if way != "imports only":
        items = items_by_hand(path, folder) if way == "by hand" else items_of_rafiki(path, folder)
        for image, image_class in items:
            total += int(image[14, 14, 0]) + image_class
    load_s = time.perf_counter() - started
    return {"load_s": load_s, "sum": total, "peak_mb": peak_mb()}


def peak_mb() -> float:
    # Not what `getrusage` says: that includes the process from which this one was started.
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise ValueError("no VmHWM")


def items_by_hand(path: str, folder: str) -> Iterator[tuple[np.ndarray, int]]:
    target = Path(folder) / "extracted"
    with zipfile.ZipFile(path) as archive:
        archive.extractall(target)
    with (target / "images.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        with Image.open(target / row["path"]) as image:
            yield np.asarray(image.convert("RGB")), int(row["class"])


def items_of_rafiki(path: str, folder: str) -> Iterator[tuple[np.ndarray, int]]:
    dataset = DatasetUtils()
    dataset.set_cache_dir(str(Path(folder) / "decoded"))
    return iter(dataset.load_dataset_of_image_files(path))


def compare_normalizations(path: Path, rounds: int) -> None:
    dataset = DatasetUtils()
    images = np.stack([image for image, _ in dataset.load_dataset_of_image_files(str(path))])
    plain_s, our_s = [], []
    for _ in range(max(rounds, 3)):
        plain_s.append(seconds_of(lambda: normalize_plainly(images)))
        our_s.append(seconds_of(lambda: dataset.normalize_images(images)))
    plain, ours = normalize_plainly(images), dataset.normalize_images(images)
    same = all(np.allclose(a, b, rtol=1e-9, atol=1e-9) for a, b in zip(plain, ours, strict=True))
    plain_median, our_median = statistics.median(plain_s), statistics.median(our_s)
    print(f"normalising {images.shape}: plainly {plain_median:.3f} s, normalize_images {our_median:.3f} s")
    print(f"{plain_median / our_median:.1f}x faster, {'same values' if same else 'OTHER VALUES'}")


def normalize_plainly(images: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    scaled = images / 255
    mean, std = scaled.mean(axis=(0, 1, 2)), scaled.std(axis=(0, 1, 2))
    return (scaled - mean) / std, mean, std


def seconds_of(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
