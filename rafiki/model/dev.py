"""The door to local development: what a template's author calls to try it.

Every worker imports this file with the template, so all that these functions need (SciPy, `rafiki.dev`) is imported
only when one is called.
"""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Tuple, Type

from rafiki.model.base import BaseModel
from rafiki.model.params import Params


def test_model_class(
    model_file_path: str,
    model_class: str,
    task: str,
    dependencies: Dict[str, str],
    train_dataset_path: str,
    val_dataset_path: str,
    test_dataset_path: Optional[str] = None,
    budget: Optional[Dict[str, Any]] = None,
    train_args: Optional[Dict[str, Any]] = None,
    queries: Optional[List[Any]] = None,
) -> Tuple[Optional[List[Any]], Optional[BaseModel]]:
    """Checks a template and runs a whole train-inference flow with it, the way the platform does it.

    Returns `(predictions, model_instance)`, both None without `queries`. The command line's `--TIME_HOURS=`,
    `--MODEL_TRIAL_COUNT=` and `--GPU_COUNT=` win over `budget`; `--<knob>=value` fixes a knob. The datasets may be
    small; what was checked is printed at the end.

    `InvalidModelClassError` says in a sentence where the template is wrong, what is wrong there, and what right looks
    like. It is the one error for all that a template can do wrong, also in the two functions below.
    """
    from rafiki import dev

    return dev.test_model_class(
        model_file_path,
        model_class,
        task,
        dependencies,
        train_dataset_path,
        val_dataset_path,
        test_dataset_path=test_dataset_path,
        budget=budget,
        train_args=train_args,
        queries=queries,
    )


test_model_class.__test__ = False  # type: ignore[attr-defined]  # its name makes pytest take it for a test


def tune_model(
    py_model_class: Type[BaseModel],
    train_dataset_path: str,
    val_dataset_path: str,
    test_dataset_path: Optional[str] = None,
    budget: Optional[Dict[str, Any]] = None,
    train_args: Optional[Dict[str, Any]] = None,
) -> Tuple[Any, Optional[float], Optional[Params]]:
    """Tunes a template within `budget`: `(best_proposal, test_score, best_params)`.

    The proposal is a `rafiki.advisor.Proposal`. Reads the command line as `test_model_class` does.
    """
    from rafiki import dev

    return dev.tune_model(
        py_model_class,
        train_dataset_path,
        val_dataset_path,
        test_dataset_path=test_dataset_path,
        budget=budget,
        train_args=train_args,
    )


def make_predictions(
    queries: Optional[List[Any]], task: str, py_model_class: Type[BaseModel], proposal: Any, params: Params
) -> Tuple[Optional[List[Any]], Optional[BaseModel]]:
    """Loads a template with the knobs of `proposal` and `params`, and predicts as in service.

    Returns `(predictions, model_instance)`, both None where `queries` is None.
    """
    from rafiki import dev

    return dev.make_predictions(queries, task, py_model_class, proposal, params)
