"""Tasks: what a dataset file, a query and a prediction are, and how predictions are combined and scored."""

from __future__ import annotations

from rafiki.constants import TaskName
from rafiki.tasks.base import Task, to_json_value
from rafiki.tasks.custom import CustomTask
from rafiki.tasks.image_classification import ImageClassification
from rafiki.tasks.pos_tagging import PosTagging
from rafiki.tasks.tabular_classification import TabularClassification
from rafiki.tasks.tabular_regression import TabularRegression

__all__ = ["CustomTask", "Task", "get_task", "to_json_value"]

_BUILT_IN = {
    TaskName.IMAGE_CLASSIFICATION: ImageClassification(TaskName.IMAGE_CLASSIFICATION),
    TaskName.POS_TAGGING: PosTagging(TaskName.POS_TAGGING),
    TaskName.TABULAR_CLASSIFICATION: TabularClassification(TaskName.TABULAR_CLASSIFICATION),
    TaskName.TABULAR_REGRESSION: TabularRegression(TaskName.TABULAR_REGRESSION),
}


def get_task(name: str) -> Task:
    """The task of that name. Names that no built-in task has are custom tasks."""
    return _BUILT_IN.get(name) or CustomTask(name)
