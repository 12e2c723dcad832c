"""From a model's dependencies to what is to be built."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from rafiki.environment import conda
from rafiki.environment.interpreters import Interpreter, find_interpreter, own_interpreter
from rafiki.environment.lock import Basis
from rafiki.environment.sources import local_links
from rafiki.errors import EnvironmentBuildError
from rafiki.model.requirements import InstallPlan, install_plan, normalized_name

#: What every model has.
_ALWAYS = ("requests", "numpy", "Pillow")


@dataclass(frozen=True)
class Request:
    """`dependencies` are those, by package, that are declared by another name."""

    requirements: tuple[str, ...]
    basis: Basis
    interpreter: Interpreter
    dependencies: Mapping[str, str] = field(default_factory=dict)

    def key(self, *also: object) -> str:
        """The same for all that ask for the same, where packages come from included."""
        parts = [self.requirements, vars(self.basis), str(self.interpreter.path), also]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:24]

    def building(self, packages: set[str]) -> Request:
        """With these packages built here."""
        from_source = tuple(sorted({*self.basis.from_source, *packages}))
        return replace(self, basis=replace(self.basis, from_source=from_source))


async def make_request(dependencies: Mapping[str, str] | None, is_gpu: bool, variables: Mapping[str, str]) -> Request:
    """Raises `EnvironmentBuildError`: what is malformed, or an interpreter that this machine has not."""
    try:
        plan = install_plan(dependencies, is_gpu)
        packages = {
            package_of(install_plan({name: version}, is_gpu).requirements[0]): name
            for name, version in (dependencies or {}).items()
            if install_plan({name: version}, is_gpu).requirements
        }
    except (TypeError, ValueError) as error:
        hint = 'Dependencies are names and versions, such as {"scikit-learn": "1.5.0"}.'
        raise EnvironmentBuildError(f"The dependencies are malformed: {error}.", hint) from error
    # Conda brings its own interpreter.
    interpreter = own_interpreter() if plan.conda_packages else await find_interpreter(plan.python)
    version = (plan.python if plan.conda_packages else None) or interpreter.version
    backend = None if is_gpu else _torch_backend(plan, local_links(variables))
    always = [name for name in _ALWAYS if normalized_name(name) not in map(package_of, plan.requirements)]
    basis = Basis(version, is_gpu, backend, conda=conda.arguments(plan))
    return Request((*plan.requirements, *always), basis, interpreter, packages)


def package_of(requirement: str) -> str:
    """The package of a requirement such as `tensorflow[and-cuda]==2.15.0`, as indexes name it."""
    return normalized_name(re.split(r"[\[=<>!~ ]", requirement)[0])


def _torch_backend(plan: InstallPlan, folders: list[Path]) -> str | None:
    """Where PyTorch comes from on a machine without GPUs: its own index of CPU builds, unless a folder has them."""
    declared = [one for one in plan.requirements if package_of(one) in ("torch", "torchvision")]
    wheels = [wheel.name for folder in folders for wheel in folder.glob("torch*.whl")]
    is_local = declared and all(
        any(re.match(rf"{re.escape(one.replace('==', '-'))}[+-]", wheel) for wheel in wheels) for one in declared
    )
    return None if is_local else "cpu"
