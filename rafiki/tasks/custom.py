"""Tasks that Rafiki does not know: nothing is checked, and the best member answers."""

from __future__ import annotations

from typing import Any, Iterator, List, Sequence, Tuple

from rafiki.tasks.base import Task, TrainArgs, check_counts, to_json_value


class CustomTask(Task):
    """Any file is a dataset, any JSON value a query or a prediction. A dataset has no pairs that Rafiki could name."""

    def check_dataset(self, path: str, train_args: TrainArgs = None) -> None:
        return None

    def iterate(self, path: str, train_args: TrainArgs = None, others: Sequence[str] = ()) -> Iterator[Tuple[Any, Any]]:
        return iter(())

    def decode_query(self, query: Any) -> Any:
        return query

    def check_prediction(self, query: Any, prediction: Any) -> Any:
        return to_json_value(prediction)

    def combine_batch(self, members: Sequence[Sequence[Any]]) -> List[Any]:
        best: List[Any] = to_json_value(members[0])
        return best

    def score(self, predictions: Sequence[Any], labels: Sequence[Any]) -> float:
        """The fraction of predictions that equal their labels."""
        check_counts(predictions, labels)
        n_right = sum(bool(to_json_value(p) == to_json_value(label)) for p, label in zip(predictions, labels))
        return n_right / len(labels)
