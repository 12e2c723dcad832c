"""What holds of workers in containers as of all others, and their variables."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from rafiki.environment import Environment
from rafiki.errors import EnvironmentBuildError
from rafiki.executor import WorkerSpec
from rafiki.executor.container import ContainerExecutor
from rafiki.model.params import save_params
from rafiki.worker.frames import Load, Predict, Predicted
from tests.containers import EMPTY_IMAGE, Engine
from tests.unit.executor.test_calls import (  # noqa: F401
    Start,
    test_a_call_that_takes_too_long_times_out_and_the_worker_goes_on,
    test_a_model_is_inspected_trained_loaded_and_asked,
    test_calls_are_answered_in_order_and_cancelled_ones_spoil_nothing,
    test_large_messages_go_by_file_and_do_not_hold_up_the_loop,
)


async def test_a_worker_has_its_own_variables_and_none_of_ours(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAFIKI_SUPERADMIN_PASSWORD", "secret")
    worker = await start(predict="return [dict(os.environ), os.getcwd(), sys.path]")
    save_params(tmp_path / "params", {})
    await worker.call(Load({"x": 0.5}, str(tmp_path / "params")))
    reply = await worker.call(Predict([0, 0, 0]))
    assert isinstance(reply, Predicted)
    variables, folder, path = reply.predictions
    assert "secret" not in str(variables)
    assert variables["CUDA_VISIBLE_DEVICES"] == variables["CUDA_AVAILABLE_DEVICES"] == "-1"
    assert variables["OMP_NUM_THREADS"] == "1"
    assert variables["PATH"].startswith("/opt/rafiki/bin:")  # the image's
    assert folder == variables["HOME"] == variables["TMPDIR"] == str(worker.spec.scratch_dir)
    assert path[0] == str(worker.spec.environment.worker_part)


async def test_an_engine_that_cannot_grant_gpus_says_so(start: Start, engine: Engine) -> None:
    """Podman before 5.4 cannot ever, docker not without NVIDIA's toolkit."""
    if shutil.which("nvidia-ctk") is not None:
        return
    with pytest.raises(
        EnvironmentBuildError, match=r"cannot give GPUs to containers|could not be started: .*(gpu|nvidia)"
    ):
        await start(gpus=(1,))
    assert engine.containers() == []


async def refusal(environment: Environment, tmp_path: Path, engine: str | None) -> EnvironmentBuildError:
    executor = ContainerExecutor(engine)
    scratch_dir = tmp_path / "scratch"
    scratch_dir.mkdir()
    (tmp_path / "model").touch()
    with pytest.raises(EnvironmentBuildError) as caught:
        await executor.start(WorkerSpec("w", environment, tmp_path / "model", "MyModel", scratch_dir))
    await executor.close()
    assert [path.name for path in tmp_path.iterdir() if "scratch" in path.name] == ["scratch"]
    return caught.value


async def test_an_image_without_python_is_an_environment_error(
    environment: Environment, engine: Engine, tmp_path: Path
) -> None:
    empty = Environment(Path("python3"), environment.worker_part, engine.id_of(EMPTY_IMAGE))
    error = await refusal(empty, tmp_path, engine.address)
    assert "python3" in error.message
    assert "extends Rafiki's worker image" in error.hint
    assert engine.containers() == []


async def test_an_image_that_is_gone_is_an_environment_error(
    environment: Environment, engine: Engine, tmp_path: Path
) -> None:
    gone = Environment(Path("python3"), environment.worker_part, "0123456789abcdef" * 2)
    error = await refusal(gone, tmp_path, engine.address)
    assert "is not there any more" in error.message
    assert "Pull or load it" in error.hint


async def test_an_engine_that_is_not_there_is_an_environment_error(environment: Environment, tmp_path: Path) -> None:
    error = await refusal(environment, tmp_path, f"unix://{tmp_path}/nothing.sock")
    assert "nothing.sock cannot be reached" in error.message
