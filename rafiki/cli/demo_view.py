"""What the demo prints: with live progress on a terminal, in plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from rafiki.client.progress import TrainProgress
from rafiki.client.steps import Row
from rafiki.constants import TrialStatus

_SHADES = " .:-=+*#%@"
_UNDONE = {TrialStatus.PENDING, TrialStatus.RUNNING}


class DemoView:
    def __init__(self) -> None:
        self._console = Console(highlight=False, soft_wrap=True)
        self._n_steps = 0

    def step(self, title: str) -> None:
        self._n_steps += 1
        self._console.print(f"\n[bold]{self._n_steps}. {escape(title)}[/bold]")

    def say(self, text: str) -> None:
        self._console.print(f"   {escape(text)}")

    def title(self, text: str) -> None:
        self._console.print(f"[bold]{escape(text)}[/bold]")

    def complain(self, text: str) -> None:
        self._console.print(f"[red]{escape(text)}[/red]")

    @contextmanager
    def training(self, models: Sequence[str], n_trials: int) -> Iterator[TrainProgress]:
        """What to call with a train job and its trials whenever they may have changed."""
        if not self._console.is_terminal:
            yield self._lines(models, n_trials)
            return
        columns = (
            TextColumn("   {task.description}"),
            BarColumn(bar_width=30),
            TextColumn("{task.completed} of {task.total} trials done, {task.fields[more]}"),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self._console) as bars:
            bar_of = {model: bars.add_task(model, total=n_trials, more="waiting") for model in models}

            def update(job: Row, trials: list[Row]) -> None:
                for model, bar in bar_of.items():
                    n_done, more = _progress_of(model, trials)
                    bars.update(bar, completed=n_done, more=more)

            yield update

    def _lines(self, models: Sequence[str], n_trials: int) -> TrainProgress:
        said: dict[str, str] = {}

        def update(job: Row, trials: list[Row]) -> None:
            for model in models:
                n_done, more = _progress_of(model, trials)
                line = f"{model}: {n_done} of {n_trials} trials done, {more}"
                if said.get(model) != line:
                    said[model] = line
                    self.say(line)

        return update

    def trials(self, trials: Sequence[Row]) -> None:
        table = Table("template", "trial", "score", "seconds", "knobs")
        for trial in trials:
            started, stopped = (datetime.fromisoformat(trial[f"datetime_{end}"]) for end in ("started", "stopped"))
            knobs = ", ".join(f"{name}={_short(value)}" for name, value in trial["proposal"]["knobs"].items())
            seconds = f"{(stopped - started).total_seconds():.1f}"
            table.add_row(trial["model_name"], str(trial["no"]), f"{trial['score']:.4f}", seconds, escape(knobs))
        self._print_table(table)

    def predictions(self, images: Sequence[Any], labels: Sequence[int], predictions: Sequence[Sequence[float]]) -> None:
        """Pictures of a few images, each with its true class, the answer, and that one's probability."""
        table = Table(*(f"true class {label}" for label in labels))
        table.add_row(*map(_picture, images))
        answers = [(best_class(prediction), max(prediction)) for prediction in predictions]
        table.add_row(*(f"answer {answer} ({probability:.2f})" for answer, probability in answers))
        self._print_table(table)

    def accuracies(self, accuracy_of: dict[str, float]) -> None:
        table = Table("who", "accuracy")
        for who, accuracy in accuracy_of.items():
            table.add_row(escape(who), f"{accuracy:.1%}")
        self._print_table(table)

    def _print_table(self, table: Table) -> None:
        self._console.print(Padding(table, (0, 0, 0, 3)), soft_wrap=False)


def best_class(probabilities: Sequence[float]) -> int:
    return max(range(len(probabilities)), key=probabilities.__getitem__)


def _progress_of(model: str, trials: list[Row]) -> tuple[int, str]:
    """How many trials of a model are done, and what else there is to say."""
    own = [trial for trial in trials if trial["model_name"] == model]
    n_running = sum(trial["status"] in _UNDONE for trial in own)
    scores = [trial["score"] for trial in own if trial["score"] is not None]
    best = f", best score {max(scores):.4f}" if scores else ""
    return len(own) - n_running, f"{n_running} running{best}"


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _picture(image: Any) -> str:
    """A grey-scale picture in characters, two per pixel, of an image (height, width, channels)."""
    rows = image.mean(axis=2) / 255 * (len(_SHADES) - 1)
    return escape("\n".join("".join(_SHADES[round(value)] * 2 for value in row) for row in rows))
