"""The one global object of helpers for templates: `utils.logger` and `utils.dataset`."""

from __future__ import annotations

from rafiki.model.dataset import DatasetUtils
from rafiki.model.log import LoggerUtils


class ModelUtils:
    """What a template uses in `train`, `evaluate` and `predict`."""

    def __init__(self) -> None:
        self.logger = LoggerUtils()
        self.dataset = DatasetUtils()


utils = ModelUtils()
logger = utils.logger
dataset = utils.dataset
