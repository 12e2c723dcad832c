"""What a power failure leaves: environments that were not yet on the disk, and files that are cut short."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from rafiki.environment import EnvironmentBuilder, find_environment
from rafiki.errors import EnvironmentBuildError
from rafiki.settings import Settings
from tests.package_index import PackageIndex
from tests.unit.environment.conftest import Build, Told
from tests.unit.environment.test_build import run


def version_of_alpha(builder: EnvironmentBuilder, address: str) -> str:
    files = "map(str, importlib.metadata.files('alpha'))"
    code = f"import alpha, importlib.metadata; assert 'alpha.py' in {files}; print(alpha.__version__)"
    return run(builder.folder.python(address), code).stdout


async def test_an_environment_that_was_not_on_the_disk_before_the_machine_started_anew_is_built_again(
    build: Build, builder: EnvironmentBuilder, make_settings: Callable[..., Settings]
) -> None:
    built = await build({})
    find_environment(make_settings(), built.address)  # nobody waits for the disk
    (builder.folder.prefix(built.address) / "rafiki.unsynced").write_text("another boot")
    with pytest.raises(EnvironmentBuildError, match="is not there"):
        find_environment(make_settings(), built.address)
    await builder.restore(built.address, built.lock)
    find_environment(make_settings(), built.address)
    await builder.finished()
    assert builder.folder.is_durable(built.address)


async def test_without_its_lock_it_is_built_again_from_what_was_declared(
    build: Build, builder: EnvironmentBuilder, make_settings: Callable[..., Settings]
) -> None:
    built = await build({})
    (builder.folder.prefix(built.address) / "rafiki.unsynced").write_text("")
    told = Told()
    again = await builder.build({}, told)
    assert again == built
    assert "resolving" in told.texts
    find_environment(make_settings(), built.address)


@pytest.mark.parametrize("name", ["alpha.py", "METADATA", "WHEEL", "RECORD"])
async def test_files_that_are_cut_short_in_the_cache_are_fetched_again(
    build: Build, builder: EnvironmentBuilder, index: PackageIndex, tmp_path: Path, name: str
) -> None:
    index.add("alpha", "1.0")
    built = await build({"alpha": "1.0"})
    (package,) = (path.parent for path in (tmp_path / "cache").glob("archive-v*/*/alpha.py"))
    (of_alpha,) = package.rglob(name)
    of_alpha.write_bytes(b"")
    for _ in range(2):
        builder.folder.remove(built.address)
        await builder.restore(built.address, built.lock)
        assert version_of_alpha(builder, built.address) == "1.0\n"
