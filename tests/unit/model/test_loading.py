import inspect
import pickle
import traceback

import pytest

from rafiki.errors import InvalidModelClassError
from rafiki.model import BaseModel
from rafiki.model.loading import load_model_class

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
        (
            "class Model(:\n  pass",
            r"^Model\.py, line 1: the file does not parse as Python 3\.\d+: .*, at `class Model\(:`\.$",
        ),
        ("x = 1\nclass Model(BaseModel)\n  pass", "line 2: .*class Model"),
        ("x = 1\n  y = 2", "line 2: .*indent"),
        ("x = 1\n\0", r"^Model\.py, line 2: a NUL character"),
        ("# coding: nonsense\n", "encoding"),
        ("x = 1\nimport no_such_package\n", "line 2: .*ModuleNotFoundError.*no_such_package"),
        ("def f():\n    raise KeyError('k')\n\nf()\n", "line 2: .*KeyError"),
        ("import sys\nsys.exit(3)", "line 2: .*SystemExit: 3"),
        ("import json\njson.loads('')", "line 2: .*JSONDecodeError"),
        ("", "no class Model"),
        ("class Other:\n    pass", "no class Model"),
        ("\n\nclass Model:\n    pass", "line 3: Model is no subclass of BaseModel; write `class Model"),
        ("def Model():\n    pass", "Model is no subclass"),
        ("from rafiki.model import BaseModel as Model", "Model is no subclass"),
    ],
)
def test_files_that_are_no_templates(source, said):
    with pytest.raises(InvalidModelClassError, match=f"(?s){said}"):
        load_model_class(source.encode(), "Model")


def test_bytes_that_are_no_text():
    for source in (b"\n\nx = '\xff\xfe'", b"# a\n# b\nn = 'na\xefve'\n"):
        with pytest.raises(
            InvalidModelClassError, match=r"^Model\.py, line 3: the file is not in UTF-8; save it so, or"
        ):
            load_model_class(source, "Model")
    with pytest.raises(InvalidModelClassError, match=r"^Model\.py, line 1: the file is no Python source: .*nonsense"):
        load_model_class(b"# coding: nonsense\n", "Model")


def test_source_nested_beyond_the_parser():
    with pytest.raises(InvalidModelClassError):
        load_model_class(b"x = " + b"(" * 100_000 + b")" * 100_000, "Model")


def test_the_classes_that_a_file_has_are_named():
    with pytest.raises(
        InvalidModelClassError, match=r"no class Modle; name one that it has \(Tree, Base, Model, Other\)"
    ):
        load_model_class(_template("first"), "Modle")


def test_why_a_file_cannot_be_imported_is_the_cause():
    with pytest.raises(InvalidModelClassError) as caught:
        load_model_class(b"import no_such_package", "Model")
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)
