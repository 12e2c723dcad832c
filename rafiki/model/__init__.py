"""All that a model developer imports. Needs the standard library, NumPy and Pillow, and imports fast."""

from rafiki.errors import InvalidDatasetFormatException, InvalidModelClassError, InvalidParamsError
from rafiki.model.base import BaseModel, Knobs
from rafiki.model.dataset import (
    AudioFilesDataset,
    CorpusDataset,
    DatasetUtils,
    ImageFilesDataset,
    TabularDataset,
    TabularSchema,
)
from rafiki.model.knob import (
    ArchKnob,
    BaseKnob,
    CategoricalKnob,
    FixedKnob,
    FloatKnob,
    IntegerKnob,
    KnobConfig,
    PolicyKnob,
    deserialize_knob_config,
    serialize_knob_config,
)
from rafiki.model.knob_value import CategoricalValue, KnobValue
from rafiki.model.loading import load_model_class
from rafiki.model.log import LoggerUtils
from rafiki.model.params import Params
from rafiki.model.requirements import parse_model_install_command
from rafiki.model.rules import check_model_class

# Last: `utils` and `dataset` are the names of objects here, which submodules of these names must not replace.
from rafiki.model.utils import dataset, logger, utils

__all__ = [
    "ArchKnob",
    "AudioFilesDataset",
    "BaseKnob",
    "BaseModel",
    "CategoricalKnob",
    "CategoricalValue",
    "CorpusDataset",
    "DatasetUtils",
    "FixedKnob",
    "FloatKnob",
    "ImageFilesDataset",
    "IntegerKnob",
    "InvalidDatasetFormatException",
    "InvalidModelClassError",
    "InvalidParamsError",
    "KnobConfig",
    "KnobValue",
    "Knobs",
    "LoggerUtils",
    "Params",
    "PolicyKnob",
    "TabularDataset",
    "TabularSchema",
    "check_model_class",
    "dataset",
    "deserialize_knob_config",
    "load_model_class",
    "logger",
    "parse_model_install_command",
    "serialize_knob_config",
    "utils",
]
