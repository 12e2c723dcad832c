"""AsyncClient is Client, awaited."""

from __future__ import annotations

import asyncio
import inspect

import pytest

from rafiki.client import AsyncClient, Client, RafikiConnectionError


def public(cls):
    names = (name for name in dir(cls) if not name.startswith("_"))
    return {name: inspect.getattr_static(cls, name) for name in names}


def test_it_has_all_methods_with_the_same_parameters_and_words():
    blocking, awaited = public(Client), public(AsyncClient)
    assert set(blocking) == set(awaited)
    for name in set(blocking) - {"address", "token"}:
        assert inspect.iscoroutinefunction(awaited[name]), name
        assert inspect.signature(awaited[name]) == inspect.signature(blocking[name]), name
        assert awaited[name].__doc__ == blocking[name].__doc__


async def test_calls_are_awaited(admin, async_client):
    admin.on("POST /tokens", {"user_id": "u1", "user_type": "ADMIN", "token": "t0k"})
    assert await async_client.is_up() is False
    assert await async_client.login("a@b", "pw") == {"id": "u1", "user_type": "ADMIN"}
    assert await async_client.get_current_user() == {"id": "u1", "user_type": "ADMIN"}
    admin.on("GET /users", [{"id": "u1"}])
    assert await async_client.get_users() == [{"id": "u1"}]
    assert admin.last.token == "Bearer t0k"
    assert repr(async_client).startswith("<AsyncClient of http://127.0.0.1:")
    await async_client.logout()
    assert await async_client.get_current_user() is None


async def test_refusals_and_wrong_arguments_are_raised_when_awaited(admin, async_client):
    admin.refuse("GET /users", "UnauthorizedError", "not for you", status=403)
    with pytest.raises(RafikiConnectionError, match="not for you"):
        await async_client.get_users()
    with pytest.raises(ValueError, match="dataset_url"):
        await async_client.create_dataset("n", "t")


async def test_calls_go_out_at_the_same_time(admin, async_client):
    all_are_there = asyncio.Barrier(4)
    loop = asyncio.get_running_loop()

    def answer(asked):
        asyncio.run_coroutine_threadsafe(all_are_there.wait(), loop).result(timeout=10)
        return 200, {"id": "t"}

    admin.on("GET /trials/t", answer)
    trials = await asyncio.gather(*(async_client.get_trial("t") for _ in range(4)))
    assert trials == [{"id": "t"}] * 4


async def test_files_go_out_and_come_in(admin, async_client, tmp_path):
    (tmp_path / "data.zip").write_bytes(b"x" * 200_000)
    admin.on("POST /datasets", {"id": "d1"})
    sent = []
    await async_client.create_dataset(
        "n", "t", tmp_path / "data.zip", progress=lambda n, n_all: sent.append((n, n_all))
    )
    assert admin.last.form["dataset"] == b"x" * 200_000
    assert sent[-1] == (200_000, 200_000)
    admin.on("GET /models/m1/model_file", b"class M: pass\n")
    admin.on("GET /models/m1", {"id": "m1"})
    assert await async_client.download_model_file("m1", tmp_path / "M.py") == {"id": "m1"}
    assert (tmp_path / "M.py").read_bytes() == b"class M: pass\n"


async def test_waiting_does_not_block_the_loop(admin, async_client, fake_time):
    statuses = iter(["STARTED", "RUNNING", "STOPPED"])
    job = {"id": "j", "app_version": 2}
    admin.on("GET /train_jobs/app/-1", {**job, "status": "STARTED"})
    admin.on("GET /train_jobs/app/2", lambda asked: (200, {**job, "status": next(statuses)}))
    admin.on("GET /train_jobs/app/2/trials", [])
    seen = []
    ended = await async_client.wait_until_train_job_has_stopped(
        "app", progress=lambda job, _: seen.append(job["status"])
    )
    assert ended["status"] == "STOPPED"
    assert seen == ["STARTED", "RUNNING", "STOPPED"]
    assert fake_time.slept == pytest.approx([0.2, 0.24])


async def test_predict(admin, async_client):
    admin.on("GET /inference_jobs/app/-1", {"id": "i", "predictor_host": f"127.0.0.1:{admin.port}"})
    admin.on("POST /predict", {"prediction": None, "predictions": [1, 2]})
    assert await async_client.predict("app", queries=["a", "b"]) == [1, 2]


async def test_nobody_there():
    async with AsyncClient("127.0.0.1", 1) as client:
        assert await client.is_up() is False
        with pytest.raises(RafikiConnectionError, match="ServerUnreachableError"):
            await client.login("a@b", "pw")


def test_a_program_may_use_it_in_an_event_loop_of_its_own(admin):
    admin.on("GET /datasets", [])

    async def list_datasets():
        async with AsyncClient("127.0.0.1", admin.port, token="t") as client:
            return await client.get_datasets()

    assert asyncio.run(list_datasets()) == []
    assert admin.last.token == "Bearer t"
