"""What a model developer imports needs little and comes fast."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import rafiki.model

MODEL_FOLDER = Path(rafiki.model.__file__).parent
PROJECT_FOLDER = MODEL_FOLDER.parent.parent

CONTRACT_NAMES = [
    "BaseModel",
    "BaseKnob",
    "CategoricalKnob",
    "FixedKnob",
    "IntegerKnob",
    "FloatKnob",
    "PolicyKnob",
    "ArchKnob",
    "KnobValue",
    "utils",
    "logger",
    "dataset",
    "load_model_class",
    "serialize_knob_config",
    "deserialize_knob_config",
    "parse_model_install_command",
    "InvalidModelClassError",
    "InvalidDatasetFormatException",
    "LoggerUtils",
    "DatasetUtils",
    "CorpusDataset",
    "ImageFilesDataset",
    "AudioFilesDataset",
    "CategoricalValue",
    "KnobConfig",
    "Knobs",
    "Params",
]

# Only the standard library, NumPy, and of Rafiki only what a worker has; Pillow counts as absent until it is needed.
_BLOCK_OTHER_IMPORTS = """
import sys, time
import numpy

class Blocker:
    def find_spec(self, name, path=None, target=None):
        top, _, rest = name.partition('.')
        part = rest.partition('.')[0]
        if top == 'rafiki' and part not in ('', 'model', 'errors', 'constants', 'entities', 'config'):
            raise ModuleNotFoundError(f'blocked: {name}', name=name)
        if top not in sys.stdlib_module_names and top not in ('numpy', 'rafiki'):
            raise ModuleNotFoundError(f'blocked: {name}', name=name)

sys.meta_path.insert(0, Blocker())
"""


def _run(code):
    command = [sys.executable, "-c", _BLOCK_OTHER_IMPORTS + code]
    run = subprocess.run(command, capture_output=True, text=True, cwd=PROJECT_FOLDER, timeout=60)
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_it_imports_nothing_but_the_standard_library_and_numpy():
    _run("import rafiki.model, rafiki.config; from rafiki.model import BaseModel, utils, logger, dataset")


def test_it_imports_fast():
    """Processor time, so that a busy machine does not matter; the best of a few."""
    code = "start = time.process_time(); import rafiki.model; print(time.process_time() - start)"
    assert min(float(_run(code)) for _ in range(3)) < 0.1


def test_the_door_opens_without_scipy_and_without_what_is_behind_it():
    _run(
        """
from rafiki.model.dev import test_model_class, tune_model, make_predictions
try:
    make_predictions([], '', None, None, {})
except ImportError as error:
    assert 'blocked' in str(error) or 'rafiki' in str(error), error
else:
    raise AssertionError('there is nothing behind the door here')
"""
    )


@pytest.mark.parametrize("path", sorted(MODEL_FOLDER.glob("*.py")), ids=lambda path: path.name)
def test_it_is_written_for_python_3_8(path):
    ast.parse(path.read_text(), feature_version=(3, 8))


def test_all_names_of_the_contract():
    import rafiki.model.dev as dev

    for name in CONTRACT_NAMES:
        assert hasattr(rafiki.model, name), name
        assert name in rafiki.model.__all__
    assert isinstance(rafiki.model.dataset, rafiki.model.DatasetUtils)
    assert isinstance(rafiki.model.logger, rafiki.model.LoggerUtils)
    assert rafiki.model.utils.dataset is rafiki.model.dataset
    assert all(callable(getattr(dev, name)) for name in ("test_model_class", "tune_model", "make_predictions"))
