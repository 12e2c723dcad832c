"""What the package says of its templates is so, and what they have in common is the same in all of them."""

from __future__ import annotations

import ast
from importlib.metadata import version
from pathlib import Path

import pytest

from rafiki.advisor import BayesOptAdvisor, make_advisor
from rafiki.model import check_model_class, load_model_class
from rafiki.starters import STARTERS, Starter

by_name = pytest.mark.parametrize("starter", STARTERS, ids=lambda starter: starter.name)


def test_every_template_is_listed_once() -> None:
    folder = STARTERS[0].path.parent
    assert sorted(path.name for path in folder.glob("*.py")) == sorted(starter.path.name for starter in STARTERS)


def test_the_declared_versions_are_those_that_are_tested_here() -> None:
    declared = {item for starter in STARTERS for item in starter.dependencies.items()}
    assert declared == {(name, version(name)) for name, _ in declared}


@by_name
def test_a_template_keeps_the_rules_and_its_knobs_are_searched_by_bayesian_optimisation(starter: Starter) -> None:
    model_class = load_model_class(starter.path.read_bytes(), starter.name)
    assert check_model_class(model_class) == []
    assert isinstance(make_advisor(model_class.get_knob_config(), {}), BayesOptAdvisor)


def test_functions_that_several_templates_have_are_the_same() -> None:
    """Each template stands on its own, at the price of copies: a correction of one goes into all."""
    found: dict[str, dict[str, str]] = {}
    for starter in STARTERS:
        for node in ast.parse(starter.path.read_text()).body:
            if isinstance(node, ast.FunctionDef):
                found.setdefault(node.name, {})[starter.name] = ast.unparse(node)
    assert {name for name, texts in found.items() if len(texts) > 1} >= {"features", "scale", "softmax"}
    different = {name: list(texts) for name, texts in found.items() if len(set(texts.values())) > 1}
    assert different == {}


def test_templates_are_short_enough_to_be_read() -> None:
    lengths = {Path(starter.path).stem: len(starter.path.read_text().splitlines()) for starter in STARTERS}
    assert max(lengths.values()) < 150, lengths
