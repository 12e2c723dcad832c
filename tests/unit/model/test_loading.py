import inspect
import pickle
import textwrap
import traceback

import pytest

from rafiki.errors import InvalidModelClassError
from rafiki.model import BaseModel, FixedKnob, IntegerKnob
from rafiki.model.loading import check_model_class, load_model_class

TEMPLATE = """\
import pickle
from rafiki.model import BaseModel, IntegerKnob, FixedKnob, utils

class Tree:
    pass

class Base(BaseModel):
    @staticmethod
    def get_knob_config():
        return {'depth': IntegerKnob(1, 8), 'criterion': FixedKnob('gini')}

    def __init__(self, **knobs):
        self._knobs = knobs

    def train(self, dataset_path, **kwargs):
        raise RuntimeError('from the template')  # the failing line

    def evaluate(self, dataset_path):
        return 0.5

    def predict(self, queries):
        return [0 for _ in queries]

    def dump_parameters(self):
        return {'tree': pickle.dumps(Tree())}

    def load_parameters(self, params):
        self._tree = pickle.loads(params['tree'])

class Model(Base):
    name = 'NAME'

class Other:
    pass

def function():
    pass

if __name__ == '__main__':
    raise SystemExit('not for the platform')
"""


def _template(name):
    return TEMPLATE.replace("NAME", name).encode()


def test_a_template_is_a_class_of_the_file():
    model_class = load_model_class(_template("first"), "Model")
    assert issubclass(model_class, BaseModel)
    assert model_class.__name__ == "Model"
    model = model_class(depth=3, criterion="gini")
    assert model.evaluate("") == 0.5
    model.destroy()
    model_class.teardown()
    assert load_model_class(_template("first"), "Base").__name__ == "Base"


def test_templates_of_one_name_do_not_meet():
    first, second = (load_model_class(_template(name), "Model") for name in ("first", "second"))
    assert (first.name, second.name) == ("first", "second")
    assert first.__module__ != second.__module__
    assert "'first'" in inspect.getsource(first)
    assert "'second'" in inspect.getsource(second)


def test_loading_a_file_twice_gives_one_class():
    assert load_model_class(_template("first"), "Model") is load_model_class(_template("first"), "Model")


def test_a_template_may_pickle_its_own_classes():
    model = load_model_class(_template("first"), "Model")()
    params = model.dump_parameters()
    model.load_parameters(params)
    assert pickle.loads(params["tree"]).__class__.__name__ == "Tree"


def test_tracebacks_show_the_lines_of_the_file():
    model = load_model_class(_template("first"), "Model")()
    with pytest.raises(RuntimeError) as caught:
        model.train("")
    shown = "".join(traceback.format_exception(caught.type, caught.value, caught.tb))
    assert "Model.py" in shown
    assert "# the failing line" in shown


def test_the_path_of_a_file_on_this_machine_is_shown(tmp_path):
    path = tmp_path / "MyModel.py"
    path.write_bytes(_template("third"))
    model_class = load_model_class(path.read_bytes(), "Model", str(path))
    assert inspect.getsourcefile(model_class) == str(path)


def test_encodings_and_line_ends_of_source_files():
    source = (
        "# -*- coding: latin-1 -*-\r\nfrom rafiki.model import BaseModel\r\nclass Model(BaseModel):\r\n    x = 'é'\r\n"
    )
    assert load_model_class(source.encode("latin-1"), "Model").x == "é"
    assert load_model_class(b"\xef\xbb\xbf" + source.encode()[25:].lstrip(), "Model").x == "é"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("class Model(:\n  pass", "line 1: "),
        ("x = 1\nclass Model(BaseModel)\n  pass", "line 2: .*class Model"),
        ("x = 1\n  y = 2", "line 2: .*indent"),
        ("\0", "null"),
        ("# coding: nonsense\n", "encoding"),
        ("x = 1\nimport no_such_package\n", "line 2: .*ModuleNotFoundError.*no_such_package"),
        ("def f():\n    raise KeyError('k')\n\nf()\n", "line 2: .*KeyError"),
        ("import sys\nsys.exit(3)", "line 2: .*SystemExit: 3"),
        ("import json\njson.loads('')", "line 2: .*JSONDecodeError"),
        ("", "no class Model"),
        ("class Other:\n    pass", "no class Model"),
        ("\n\nclass Model:\n    pass", "line 3: Model is no subclass of BaseModel"),
        ("def Model():\n    pass", "Model is no subclass"),
        ("from rafiki.model import BaseModel as Model", "Model is no subclass"),
    ],
)
def test_files_that_are_no_templates(source, said):
    with pytest.raises(InvalidModelClassError, match=f"(?s){said}"):
        load_model_class(source.encode(), "Model")


def test_bytes_that_are_no_text():
    with pytest.raises(InvalidModelClassError, match="Python source"):
        load_model_class(b"\n\nx = '\xff\xfe'", "Model")


def test_source_nested_beyond_the_parser():
    with pytest.raises(InvalidModelClassError):
        load_model_class(b"x = " + b"(" * 100_000 + b")" * 100_000, "Model")


def test_the_classes_that_a_file_has_are_the_hint():
    with pytest.raises(InvalidModelClassError) as caught:
        load_model_class(_template("first"), "Modle")
    assert caught.value.hint == "its classes are: Tree, Base, Model, Other"


def test_why_a_file_cannot_be_imported_is_the_cause():
    with pytest.raises(InvalidModelClassError) as caught:
        load_model_class(b"import no_such_package", "Model")
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)


# --- rules ----------------------------------------------------------------------------------------------------------


def _problems(body, parent="Base"):
    source = TEMPLATE + f"\nclass Checked({parent}):\n" + textwrap.indent(textwrap.dedent(body), "    ")
    return check_model_class(load_model_class(source.encode(), "Checked"))


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
    assert any("lacks the method `evaluate(self, dataset_path) -> float`" in problem for problem in problems)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("def get_knob_config(self): return {}", "must be static"),
        ("@staticmethod\ndef get_knob_config(x): return {}", "no arguments"),
        ("@staticmethod\ndef get_knob_config(): return []", r"dict.*\[\]"),
        ("@staticmethod\ndef get_knob_config(): return {'depth': 5}", "'depth'.*5"),
        ("@staticmethod\ndef get_knob_config(): return {5: FixedKnob(1)}", "name.*5"),
        ("@staticmethod\ndef get_knob_config(): return {'x': IntegerKnob(5, 1)}", "raises ValueError.*5"),
        ("@staticmethod\ndef get_knob_config(): raise SystemExit(1)", "raises SystemExit"),
        ("def __init__(self, depth): pass", "`__init__`.*'criterion'"),
        ("def __init__(self): pass", "`__init__` must take one argument per knob"),
        ("def __init__(self, path, **knobs): pass", "`__init__`.*'path'"),
        ("def train(self, dataset_path): pass", "`train`.*'shared_params'"),
        ("def train(self): pass", "`train` cannot be called"),
        ("def evaluate(self): pass", "`evaluate` cannot be called"),
        ("def evaluate(self, path, metric): pass", "`evaluate`.*'metric'"),
        ("def predict(self): pass", "`predict` cannot be called"),
        ("predict = None", "`predict` is None"),
        ("@staticmethod\ndef predict(queries): pass", "method of instances"),
        ("def dump_parameters(self, path): pass", "`dump_parameters`.*'path'"),
        ("def load_parameters(self): pass", "`load_parameters` cannot"),
        ("def destroy(self, x): pass", "`destroy`"),
        ("def teardown(self): pass", "`teardown` must be static"),
    ],
)
def test_each_broken_rule_is_one_sentence(body, said):
    import re

    (problem,) = _problems(body)
    assert re.search(said, problem)
    assert problem.endswith(".")
    n_lines = TEMPLATE.count("\n")
    if "None" not in said:
        assert int(re.match(r"line (\d+): ", problem)[1]) > n_lines


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
