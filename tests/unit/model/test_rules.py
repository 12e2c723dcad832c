"""What a template's class must be, and what its author is told where it is not."""

import re
import textwrap

import pytest

from rafiki.model import BaseModel, FixedKnob, IntegerKnob, check_model_class, load_model_class

TEMPLATE = """\
from rafiki.model import BaseModel, FixedKnob, IntegerKnob

class Base(BaseModel):
    @staticmethod
    def get_knob_config():
        return {'depth': IntegerKnob(1, 8), 'criterion': FixedKnob('gini')}
    def __init__(self, **knobs): pass
    def train(self, dataset_path, **kwargs): pass
    def evaluate(self, dataset_path): return 0.5
    def predict(self, queries): return queries
    def dump_parameters(self): return {}
    def load_parameters(self, params): pass

"""


def _problems(body, parent="Base", **arguments):
    source = TEMPLATE + f"class Checked({parent}):\n" + textwrap.indent(textwrap.dedent(body), "    ")
    return check_model_class(load_model_class(source.encode(), "Checked"), **arguments)


@pytest.mark.parametrize(
    "body",
    [
        "pass",
        "def train(self, dataset_path, shared_params=None): pass",
        "def train(self, dataset_path, shared_params, features, target=None): pass",
        "def train(self, path, shared_params=None, **train_args): pass",
        "def __init__(self, depth, criterion='gini'): pass",
        "def __init__(self, *args, **kwargs): super().__init__(**kwargs)",
        "@classmethod\ndef get_knob_config(cls): return {}",
        "get_knob_config = staticmethod(lambda: {})",
    ],
)
def test_what_templates_may_look_like(body):
    assert _problems(body) == []


def test_missing_methods_are_named():
    problems = _problems("pass", parent="BaseModel")
    assert len(problems) == 6
    assert (
        "Checked.py, line 14: Checked lacks the method `evaluate`; write `def evaluate(self, dataset_path):` "
        "to return the score, a number of which higher is better."
    ) in problems
    (problem,) = _problems("import abc\n@abc.abstractmethod\ndef layers(self): pass")
    assert problem.endswith("Checked lacks the method `layers`; write it, or name a class that has it.")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("def get_knob_config(self): return {}", "is not static.*`@staticmethod`"),
        ("@staticmethod\ndef get_knob_config(x): return {}", "without arguments: .*'x'"),
        ("@staticmethod\ndef get_knob_config(): return []", r"dict.*\[\]"),
        ("@staticmethod\ndef get_knob_config(): return {'depth': 5}", "'depth'.*5"),
        ("@staticmethod\ndef get_knob_config(): return {5: FixedKnob(1)}", "name.*5"),
        ("@staticmethod\ndef get_knob_config(): return {'x': IntegerKnob(5, 1)}", "raises ValueError.*5"),
        ("@staticmethod\ndef get_knob_config(): raise SystemExit(1)", "raises SystemExit"),
        ("def __init__(self, depth): pass", r"`Checked\(depth=\.\.\., criterion=\.\.\.\)`: .*'criterion'"),
        ("def __init__(self): pass", r"write `def __init__\(self, \*\*knobs\):`"),
        ("def __init__(self, path, **knobs): pass", "`__init__`.*'path'"),
        ("def train(self, dataset_path): pass", "`train`.*'shared_params'"),
        ("def train(self): pass", "`train` cannot be called"),
        ("async def train(self, dataset_path, shared_params=None): pass", "`train` is `async`"),
        ("def evaluate(self): pass", "`evaluate` cannot be called"),
        ("def evaluate(self, path, metric): pass", "`evaluate`.*'metric'"),
        ("def predict(self): pass", "`predict` cannot be called"),
        ("def predict(self, queries): yield 1", "`predict` has a `yield`"),
        ("predict = 5", "`predict` is 5"),
        ("@staticmethod\ndef predict(queries): pass", "`predict` is static"),
        ("def dump_parameters(self, path): pass", "`dump_parameters`.*'path'"),
        ("def load_parameters(self): pass", "`load_parameters` cannot"),
        ("def destroy(self, x): pass", "`destroy`"),
        ("def teardown(self): pass", "`teardown` is not static"),
    ],
)
def test_each_broken_rule_is_one_sentence_with_its_line(body, said):
    (problem,) = _problems(body)
    assert re.search(said, problem)
    assert problem.endswith(".")
    line = int(re.match(r"Checked\.py, line (\d+): ", problem)[1])
    assert line >= TEMPLATE.count("\n") + 1


def test_arguments_of_training_are_checked_where_they_are_known():
    body = "def train(self, dataset_path, shared_params, epochs): pass"
    assert _problems(body) == _problems(body, train_args={"epochs": 3}) == []
    (problem,) = _problems(body, train_args={})
    assert "`train(path, shared_params=...)`: missing a required argument: 'epochs'" in problem
    (problem,) = _problems(body, train_args={"epochs": 3, "rate": 1})
    assert (
        "`train(path, shared_params=..., epochs=..., rate=...)`: got an unexpected keyword argument 'rate'" in problem
    )


def test_all_broken_rules_are_said_at_once():
    assert len(_problems("def evaluate(self): pass\ndef predict(self): pass")) == 2


class TestBaseModel:
    class Bare(BaseModel):
        """Never calls `super().__init__`, has neither `destroy` nor `teardown`."""

        @staticmethod
        def get_knob_config():
            return {"depth": IntegerKnob(1, 3), "kind": FixedKnob("a")}

        def __init__(self, depth, kind):
            self.knobs = (depth, kind)

        def train(self, dataset_path, **kwargs):
            self.kwargs = kwargs

        def evaluate(self, dataset_path):
            return 1

        def predict(self, queries):
            return queries

        def dump_parameters(self):
            return {}

        def load_parameters(self, params):
            pass

    def test_optional_members(self):
        model = self.Bare(depth=2, kind="a")
        model.train("path", shared_params=None)
        model.destroy()
        self.Bare.teardown()
        assert check_model_class(self.Bare) == []

    def test_it_is_abstract(self):
        with pytest.raises(TypeError):
            BaseModel()
