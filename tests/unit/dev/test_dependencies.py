"""What a template imports against what it declares."""

from importlib.metadata import version
from pathlib import Path

import pytest

from rafiki.dev.dependencies import dependency_warnings, import_advice

SKLEARN = {"scikit-learn": version("scikit-learn")}


@pytest.mark.parametrize(
    ("source", "dependencies"),
    [
        ("import os, numpy as np\nfrom PIL import Image\nimport requests", {}),
        ("from rafiki import model\nfrom rafiki.constants import ModelDependency\nimport rafiki.config", None),
        ("def f():\n    from sklearn.svm import SVC", SKLEARN),
        ("import sklearn", {"Scikit_Learn": ""}),
        ("import pandas, sklearn", {"xgboost": "2.0.0"}),
        ("try:\n    import nvidia_smi\nexcept ImportError:\n    pass", {}),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import torch", {}),
        ("if __name__ == '__main__':\n    import matplotlib, rafiki.client", {}),
        ("import not_installed_here", {"not-installed-here": "1.0"}),
        ("import os", {"python": "3.11"}),
    ],
)
def test_what_the_platform_will_have_needs_no_advice(
    tmp_path: Path, source: str, dependencies: dict[str, str] | None
) -> None:
    path = tmp_path / "Model.py"
    path.write_text(source)
    assert import_advice(path, dependencies) == []


@pytest.mark.parametrize(
    ("source", "dependencies", "advice"),
    [
        ("\nimport sklearn.svm", {}, f"Model.py, line 2: `sklearn` is imported, but not declared; add {SKLEARN} to"),
        ("if True:\n    import sklearn", {}, "Model.py, line 2: `sklearn` is imported"),
        (
            "import not_installed_here",
            {},
            "line 1: `not_installed_here` is imported, but not declared; add the package",
        ),
        (
            "from rafiki import client",
            {},
            "line 1: `rafiki.client` is not there on the platform; of Rafiki, a template",
        ),
        ("import beside", {}, "line 1: `beside` is imported from beside the template, of which only the one file"),
        ("import os", SKLEARN, "scikit-learn is declared, but Model.py imports nothing of it; leave it out"),
    ],
)
def test_what_it_will_not_have_is_said_with_the_line(
    tmp_path: Path, source: str, dependencies: dict[str, str], advice: str
) -> None:
    (tmp_path / "beside.py").touch()
    path = tmp_path / "Model.py"
    path.write_text(source)
    (found,) = import_advice(path, dependencies)
    assert advice in found
    assert found.endswith(".")


def test_versions_that_differ_are_warnings() -> None:
    installed = version("numpy")
    assert dependency_warnings({"numpy": installed, "NumPy": installed.partition(".")[0], "pillow": ""}) == []
    assert dependency_warnings({"numpy": "0.1"}) == [
        f"numpy 0.1 is declared, but {installed} is installed here; make the two agree."
    ]
    assert dependency_warnings({"no-such-thing": ""}) == [
        "no-such-thing is declared, but not installed here; install it to test with what is declared."
    ]
    assert dependency_warnings(None) == []


def test_what_is_no_dependency_is_refused() -> None:
    with pytest.raises(ValueError, match="'no name' is no name of a package"):
        dependency_warnings({"no name": "1.0"})
