"""Which starter models there are, what they learn and what they need."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from rafiki.constants import ModelDependency

_TEMPLATES = Path(__file__).parent / "templates"

#: What the templates were tried with.
_SCIKIT_LEARN = {ModelDependency.SCIKIT_LEARN: "1.9.1"}
_CRFSUITE = {"python-crfsuite": "0.9.12"}


class Starter(NamedTuple):
    """A template: `name` is also that of its class."""

    name: str
    task: str
    dependencies: Mapping[str, str]

    @property
    def path(self) -> Path:
        """The template's file."""
        return _TEMPLATES / f"{self.name}.py"


#: As different as they can be within a task, for models that err in different places make the best ensembles.
STARTERS = (
    Starter("ImageLinear", "IMAGE_CLASSIFICATION", _SCIKIT_LEARN),
    Starter("ImageSvm", "IMAGE_CLASSIFICATION", _SCIKIT_LEARN),
    Starter("ImageForest", "IMAGE_CLASSIFICATION", _SCIKIT_LEARN),
    Starter("ImageBoosting", "IMAGE_CLASSIFICATION", _SCIKIT_LEARN),
    Starter("ImageMlp", "IMAGE_CLASSIFICATION", _SCIKIT_LEARN),
    Starter("TabularLinearClassifier", "TABULAR_CLASSIFICATION", _SCIKIT_LEARN),
    Starter("TabularSvmClassifier", "TABULAR_CLASSIFICATION", _SCIKIT_LEARN),
    Starter("TabularForestClassifier", "TABULAR_CLASSIFICATION", _SCIKIT_LEARN),
    Starter("TabularBoostingClassifier", "TABULAR_CLASSIFICATION", _SCIKIT_LEARN),
    Starter("TabularMlpClassifier", "TABULAR_CLASSIFICATION", _SCIKIT_LEARN),
    Starter("TabularLinearRegressor", "TABULAR_REGRESSION", _SCIKIT_LEARN),
    Starter("TabularSvmRegressor", "TABULAR_REGRESSION", _SCIKIT_LEARN),
    Starter("TabularForestRegressor", "TABULAR_REGRESSION", _SCIKIT_LEARN),
    Starter("TabularBoostingRegressor", "TABULAR_REGRESSION", _SCIKIT_LEARN),
    Starter("TabularMlpRegressor", "TABULAR_REGRESSION", _SCIKIT_LEARN),
    Starter("TagHmm", "POS_TAGGING", {}),
    Starter("TagCrf", "POS_TAGGING", _CRFSUITE),
)
