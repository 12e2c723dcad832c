"""What cannot be built ends in a sentence: which package, why, and what can be had."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from rafiki.environment import EnvironmentBuilder
from rafiki.environment.failures import build_error
from rafiki.errors import EnvironmentBuildError
from rafiki.settings import Settings
from tests.package_index import PackageIndex
from tests.unit.environment.conftest import Build, Told

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"


async def refused(build: Build, dependencies: dict[str, str]) -> tuple[str, str]:
    with pytest.raises(EnvironmentBuildError) as caught:
        await build(dependencies)
    return caught.value.message, caught.value.hint


async def test_a_package_that_does_not_exist(build: Build) -> None:
    message, hint = await refused(build, {"no-such-package": "1.0"})
    assert "no-such-package 1.0 is declared, and the index has no package 'no-such-package'." in message
    assert "scikit-learn" in hint


async def test_a_version_that_does_not_exist(build: Build, index: PackageIndex) -> None:
    for version in ("1.0", "1.4", "2.0", "3.0"):
        index.add("alpha", version)
    message, hint = await refused(build, {"alpha": "1.9"})
    assert "alpha 1.9 is declared, and alpha has no version 1.9." in message
    assert hint == f"alpha 1.4 and alpha 2.0 are the nearest versions that can be installed for Python {HERE}."


async def test_a_pin_of_another_era(build: Build, index: PackageIndex) -> None:
    index.add("alpha", "0.2", tag="cp37-cp37m-manylinux1_x86_64")
    index.add("alpha", "1.1")
    message, hint = await refused(build, {"alpha": "0.2"})
    assert f"alpha 0.2 is declared, and it has no build for Python {HERE} on this machine." in message
    assert f"alpha 1.1 is the nearest version that can be installed for Python {HERE}." in hint
    assert "alpha 0.2 can be installed for Python 3.7" in hint


async def test_what_is_older_than_models_can_run_on(build: Build, index: PackageIndex) -> None:
    index.add("alpha", "0.1", tag="cp36-cp36m-manylinux1_x86_64")
    _, hint = await refused(build, {"alpha": "0.1"})
    assert f"No version of alpha can be installed for Python {HERE}." in hint
    assert "for Python 3.6, which is older than models can run on" in hint


async def test_a_conflict(build: Build, index: PackageIndex) -> None:
    index.add("alpha", "1.0", requires=["beta<2"])
    index.add("beta", "1.0")
    index.add("beta", "2.0")
    message, hint = await refused(build, {"alpha": "1.0", "beta": "2.0"})
    assert "do not fit together" in message
    assert "of alpha depend on beta<2 and you require alpha==1.0" in message
    assert "fit together" in hint


async def test_source_distributions_are_refused_unless_allowed(
    build: Build, index: PackageIndex, make_settings: Callable[..., Settings]
) -> None:
    index.add_source("alpha", "1.0")
    message, _ = await refused(build, {"alpha": "1.0"})
    assert "alpha 1.0" in message and "building from source is disabled" in message
    allowing = EnvironmentBuilder(make_settings(package_builds="Alpha other"))
    with pytest.raises(EnvironmentBuildError) as caught:  # it is tried; the index has no setuptools
        await allowing.build({"alpha": "1.0"}, Told())
    assert "setuptools" in caught.value.message


async def test_no_network(make_settings: Callable[..., Settings]) -> None:
    builder = EnvironmentBuilder(make_settings(package_index_url="http://127.0.0.1:9/simple"))
    builder._uv.variables["UV_HTTP_RETRIES"] = "0"
    with pytest.raises(EnvironmentBuildError, match=r"cannot be reached.*127\.0\.0\.1:9/simple") as caught:
        await builder.build({"alpha": "1.0"}, Told())
    assert "RAFIKI_PACKAGE_INDEX_URL" in caught.value.hint


async def test_without_network_what_was_built_is_found_and_what_is_cached_is_used(
    build: Build, index: PackageIndex, make_settings: Callable[..., Settings], tmp_path_factory: pytest.TempPathFactory
) -> None:
    built = await build({})
    offline = EnvironmentBuilder(make_settings(package_offline=True))
    assert (await offline.build({}, Told())).address == built.address
    elsewhere = make_settings(package_offline=True, data_dir=tmp_path_factory.mktemp("data"))
    assert (await EnvironmentBuilder(elsewhere).build({}, Told())).address == built.address


async def test_malformed_dependencies(build: Build) -> None:
    message, _ = await refused(build, {"alpha; rm -rf": "1"})
    assert "malformed" in message


def test_a_full_disk() -> None:
    error = build_error(
        "Resolved 7 packages in 1ms\nerror: Failed to install: numpy-2.0-cp311.whl (numpy==2.0)\n"
        "  cause: failed to copy file: No space left on device (os error 28)\n",
        "3.11",
    )
    assert error.message.startswith("The disk is full.")
    assert "numpy" in error.message
    assert "rafiki environment prune" in error.hint
