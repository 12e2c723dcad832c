"""The example templates declare what they import; whether or not it is installed here."""

import ast
from pathlib import Path

import pytest

from rafiki.constants import ModelDependency
from rafiki.dev.dependencies import import_advice
from rafiki.model.requirements import install_plan

MODELS = Path(__file__).parents[3] / "examples" / "models"
TEMPLATES = sorted(MODELS.glob("*/*.py"))


def keywords_of_test(path: Path) -> dict[str, ast.expr]:
    """The arguments of a template's own call of `test_model_class`."""
    calls = [node for node in ast.walk(ast.parse(path.read_bytes())) if isinstance(node, ast.Call)]
    (call,) = [call for call in calls if ast.unparse(call.func) == "test_model_class"]
    return {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}


def dependencies_of(path: Path) -> dict[str, str]:
    declared = keywords_of_test(path)["dependencies"]
    assert isinstance(declared, ast.Dict)
    dependencies = {}
    for name, version in zip(declared.keys, declared.values, strict=True):
        assert isinstance(name, ast.Attribute)
        dependencies[getattr(ModelDependency, name.attr)] = ast.literal_eval(version)
    return dependencies


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_a_template_declares_what_it_imports(path: Path) -> None:
    keywords = keywords_of_test(path)
    assert ast.literal_eval(keywords["model_class"]) == path.stem
    assert ast.literal_eval(keywords["task"]).lower() == path.parent.name
    assert import_advice(path, dependencies_of(path)) == []


def test_frameworks_are_declared_alone_and_installed_as_builds_for_cpus() -> None:
    plans = {path.stem: install_plan(dependencies_of(path)).requirements for path in TEMPLATES}
    assert plans["TfFeedForward"] == ["tensorflow-cpu==2.21.0"]
    assert plans["PyBiLstm"] == ["torch==2.13.0"]
    assert plans["XgbClf"] == plans["XgbReg"] == ["xgboost-cpu==3.2.0", "scikit-learn", "pandas<3"]
