import shlex

import pytest

from rafiki.constants import ModelDependency
from rafiki.model import parse_model_install_command
from rafiki.model.requirements import TORCH_CPU_INDEX, distributions_of, install_plan


@pytest.mark.parametrize(
    ("dependencies", "on_cpu", "on_gpu"),
    [
        ({}, [], []),
        (None, [], []),
        ({"tensorflow": "1.12.0"}, ["tensorflow==1.12.0"], ["tensorflow-gpu==1.12.0"]),
        ({"tensorflow": "1.15.0"}, ["tensorflow-cpu==1.15.0"], ["tensorflow-gpu==1.15.0"]),
        ({"tensorflow": "2.0.0"}, ["tensorflow==2.0.0"], ["tensorflow-gpu==2.0.0"]),
        ({"tensorflow": "2.13.0"}, ["tensorflow-cpu==2.13.0"], ["tensorflow==2.13.0"]),
        ({"tensorflow": "2.15.0"}, ["tensorflow-cpu==2.15.0"], ["tensorflow[and-cuda]==2.15.0"]),
        ({"Keras": "2.2.4"}, ["Keras==2.2.4"], ["Keras==2.2.4"]),
        ({"scikit-learn": "0.20.0"}, ["scikit-learn==0.20.0"], ["scikit-learn==0.20.0"]),
        (
            {"torch": "2.3.0", "torchvision": "0.18.0"},
            ["torch==2.3.0", "torchvision==0.18.0"],
            ["torch==2.3.0", "torchvision==0.18.0"],
        ),
        (
            {"xgboost": "0.90"},
            ["xgboost==0.90", "scikit-learn", "pandas<3"],
            ["xgboost==0.90", "scikit-learn", "pandas<3"],
        ),
        (
            {"xgboost": "2.1.1", "Scikit_Learn": "1.5.0", "pandas": "2.2.0"},
            ["xgboost-cpu==2.1.1", "Scikit_Learn==1.5.0", "pandas==2.2.0"],
            ["xgboost==2.1.1", "Scikit_Learn==1.5.0", "pandas==2.2.0"],
        ),
        ({"ds-ctcdecoder": "0.6.1"}, ["ds-ctcdecoder==0.6.1"], ["ds-ctcdecoder==0.6.1"]),
        ({"nltk": ""}, ["nltk"], ["nltk"]),
    ],
)
def test_the_table(dependencies, on_cpu, on_gpu):
    assert install_plan(dependencies).requirements == on_cpu
    assert install_plan(dependencies, gpu=True).requirements == on_gpu


def test_commands():
    assert parse_model_install_command({}) == ""
    assert parse_model_install_command({"Keras": "2.2.4", "nltk": "3.4"}) == "pip install Keras==2.2.4 nltk==3.4"
    assert (
        parse_model_install_command({"tensorflow": "1.12.0"}, enable_gpu=True) == "pip install tensorflow-gpu==1.12.0"
    )


def test_the_cpu_build_of_torch_is_looked_for_on_cpu_alone():
    assert (
        parse_model_install_command({"torch": "2.3.0"})
        == f"pip install torch==2.3.0 --extra-index-url {TORCH_CPU_INDEX}"
    )
    assert parse_model_install_command({"torch": "2.3.0"}, enable_gpu=True) == "pip install torch==2.3.0"


def test_singa_comes_with_conda():
    dependencies = {ModelDependency.SINGA: "1.2.0", ModelDependency.SCIKIT_LEARN: "0.20.0"}
    assert parse_model_install_command(dependencies) == (
        "conda install --yes -c nusdbsystem singa-cpu=1.2.0 && pip install scikit-learn==0.20.0"
    )
    assert "singa-gpu=1.2.0" in parse_model_install_command(dependencies, enable_gpu=True)


def test_words_are_quoted_for_the_shell():
    command = parse_model_install_command({"xgboost": "2.1.1", "tensorflow": "2.15.0"}, enable_gpu=True)
    assert shlex.split(command)[2:] == ["xgboost==2.1.1", "scikit-learn", "pandas<3", "tensorflow[and-cuda]==2.15.0"]
    assert "'pandas<3'" in command


def test_the_interpreter_is_no_package():
    plan = install_plan({"python": "3.8", "nltk": "3.4"})
    assert (plan.python, plan.requirements) == ("3.8", ["nltk==3.4"])
    assert install_plan({"nltk": "3.4"}).python is None


@pytest.mark.parametrize(
    ("dependencies", "error"),
    [
        (["torch"], TypeError),
        ({"torch": 1.0}, TypeError),
        ({"torch; rm": "1"}, ValueError),
        ({"": "1"}, ValueError),
        ({"--index-url": "1"}, ValueError),
        ({"torch": "1 && rm"}, ValueError),
        ({"torch": ">=1"}, ValueError),
        ({5: "1"}, ValueError),
    ],
)
def test_what_is_no_dependency_is_refused(dependencies, error):
    with pytest.raises(error):
        parse_model_install_command(dependencies)


def test_a_dependency_may_be_installed_as_one_of_its_builds():
    assert distributions_of("TensorFlow") == ("tensorflow", "tensorflow-cpu", "tensorflow-gpu")
    assert distributions_of("Scikit_Learn") == ("scikit-learn",)
