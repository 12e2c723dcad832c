"""An ensemble of real worker processes, over HTTP: who answers, and what a bad member or query costs."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

from rafiki.predictor.member import MemberState
from tests.unit.predictor.conftest import IMAGE_TEMPLATE, Predictor, Serve, all_ready


async def test_answers_come_in_the_queries_order_and_in_batches(serve: Serve) -> None:
    predictor = await serve("a", max_batch=8)
    blocker = asyncio.create_task(predictor.predict({"sleep": 0.3}))
    await _until(lambda: predictor.ensemble.members[0].in_flight)
    many = await predictor.post(queries=list(range(20)))
    assert [p["query"] for p in many.json()["predictions"]] == list(range(20))
    assert [p["n"] for p in many.json()["predictions"]] == [8] * 16 + [4] * 4
    assert many.json()["prediction"] is None
    await blocker


async def test_what_arrives_while_a_member_is_busy_is_its_next_batch(serve: Serve) -> None:
    predictor = await serve("a")
    busy = asyncio.create_task(predictor.predict({"sleep": 0.3}))
    await _until(lambda: predictor.ensemble.members[0].in_flight)
    predictions = await asyncio.gather(*(predictor.predict(i) for i in range(5)))
    assert [p["query"] for p in predictions] == list(range(5))
    assert [p["n"] for p in predictions] == [5] * 5
    assert (await busy)["n"] == 1


async def test_probabilities_are_averaged_and_the_header_says_who_answered(serve: Serve) -> None:
    predictor = await serve("a", "bcd", task="IMAGE_CLASSIFICATION", source=IMAGE_TEMPLATE)
    response = await predictor.post(query=[[0, 255], [0, 255]])
    assert response.json() == {"prediction": [0.5, 2.0, 2.0], "predictions": []}
    assert response.headers["Rafiki-Members"] == "2/2; Model a, Model bcd"


async def test_a_killed_member_is_replaced_while_the_others_answer(serve: Serve) -> None:
    predictor = await serve("a", "b")
    first = predictor.ensemble.members[0]
    os.kill(_pid(predictor, 0), signal.SIGKILL)
    await _until(lambda: first.state is not MemberState.READY)
    response = await predictor.post(query=1)
    assert response.json()["prediction"]["by"] == "b"
    assert response.headers["Rafiki-Members"] == "1/2; Model b"
    await all_ready(predictor.ensemble)
    response = await predictor.post(query=1)
    assert response.json()["prediction"]["by"] == "a"
    assert response.headers["Rafiki-Members"].startswith("2/2;")
    assert first.n_restarts == 1


async def test_a_request_under_way_survives_the_death_of_the_only_member(serve: Serve) -> None:
    predictor = await serve("a")
    requests = [asyncio.create_task(predictor.predict({"sleep": 0.2, "i": i})) for i in range(3)]
    await _until(lambda: predictor.ensemble.members[0].in_flight)
    killed = _pid(predictor, 0)
    os.kill(killed, signal.SIGKILL)
    predictions = await asyncio.gather(*requests)
    assert [p["query"]["i"] for p in predictions] == [0, 1, 2]
    assert all(p["pid"] != killed for p in predictions)


async def test_a_query_that_kills_the_member_costs_its_own_request_alone(serve: Serve) -> None:
    predictor = await serve("a")
    blocker = asyncio.create_task(predictor.predict({"sleep": 0.2}))
    await _until(lambda: predictor.ensemble.members[0].in_flight)
    poisoned, *others = await asyncio.gather(
        predictor.post(query={"die": 1}), *(predictor.post(query=i) for i in range(4))
    )
    assert poisoned.status_code == 503
    assert "killed by signal 9" in poisoned.json()["message"]
    assert [other.json()["prediction"]["query"] for other in others] == list(range(4))
    await blocker


async def test_a_query_that_a_template_fails_on_costs_its_own_request_alone(serve: Serve) -> None:
    predictor = await serve("a")
    blocker = asyncio.create_task(predictor.predict({"sleep": 0.2}))
    await _until(lambda: predictor.ensemble.members[0].in_flight)
    poisoned, *others = await asyncio.gather(
        predictor.post(query={"raise": "not this one"}), *(predictor.post(query=i) for i in range(4))
    )
    assert poisoned.status_code == 503
    assert poisoned.json()["error"] == "ServiceUnavailableError"
    assert "Model a" in poisoned.json()["message"] and "not this one" in poisoned.json()["message"]
    assert [other.json()["prediction"]["query"] for other in others] == list(range(4))
    assert predictor.ensemble.members[0].n_restarts == 0
    await blocker


async def test_a_member_that_fails_costs_its_vote(serve: Serve) -> None:
    predictor = await serve("a", "b")
    response = await predictor.post(query={"raise": "no", "only": "a"})
    assert response.json()["prediction"]["by"] == "b"
    assert response.headers["Rafiki-Members"] == "1/2; Model b"


async def test_a_slow_member_costs_its_vote_and_is_not_waited_for_again_until_it_is_back(serve: Serve) -> None:
    predictor = await serve("a", "b", time_limit_s=0.6)
    slow = predictor.ensemble.members[0]
    response = await predictor.post(query={"sleep": 0.9, "only": "a"})
    assert response.json()["prediction"]["by"] == "b"
    assert response.elapsed.total_seconds() >= 0.6
    assert slow.is_late
    # Its call goes on beyond the limit: it is replaced. Meanwhile nobody waits for it.
    response = await predictor.post(query=1)
    assert response.elapsed.total_seconds() < 0.5
    assert response.json()["prediction"]["by"] == "b"
    await _until(lambda: slow.n_restarts == 1 and slow.state is MemberState.READY)
    await predictor.post(query=2)
    await _until(lambda: not slow.is_late)
    assert (await predictor.post(query=3)).headers["Rafiki-Members"].startswith("2/2")


async def test_the_deadline_holds_where_nobody_answers(serve: Serve) -> None:
    predictor = await serve("a", time_limit_s=0.4)
    response = await predictor.post(query={"sleep": 5})
    assert response.status_code == 503
    assert "Model a: It did not answer within 0.4 s." in response.json()["message"]
    await all_ready(predictor.ensemble)


async def test_beyond_the_bound_requests_are_refused_and_may_come_again(serve: Serve) -> None:
    predictor = await serve("a", max_queued=4, time_limit_s=5)
    busy = asyncio.create_task(predictor.predict({"sleep": 0.4}))
    await _until(lambda: predictor.ensemble.members[0].in_flight)
    waiting = asyncio.create_task(predictor.post(queries=[1, 2, 3, 4]))
    await _until(lambda: predictor.ensemble.members[0].queue.n_queued == 4)
    refused = await predictor.post(query=5)
    assert refused.status_code == 503
    assert refused.headers["Retry-After"] == "1"
    assert "More than 4 queries are waiting" in refused.json()["message"]
    assert (await waiting).status_code == 200
    await busy


async def test_a_full_queue_of_one_member_costs_its_vote(serve: Serve) -> None:
    predictor = await serve("a", "b", max_queued=1)
    busy = asyncio.create_task(predictor.predict({"sleep": 0.4, "only": "a"}))
    await _until(lambda: predictor.ensemble.members[0].in_flight)
    waiting = asyncio.create_task(predictor.predict(1))
    await _until(lambda: predictor.ensemble.members[0].queue.n_queued == 1)
    response = await predictor.post(query=2)
    assert response.headers["Rafiki-Members"] == "1/2; Model b"
    await asyncio.gather(busy, waiting)


async def test_where_no_member_can_be_loaded_the_reasons_are_told(serve: Serve) -> None:
    predictor = await serve(wait=False)
    predictor.touch("a.broken")
    predictor.touch("b.broken")
    broken = await serve("a", "b", wait=False)
    await _until(lambda: all(member.state is MemberState.DOWN for member in broken.ensemble.members))
    assert "these parameters are broken" in broken.ensemble.failures()
    response = await broken.post(query=1)
    assert response.status_code == 503
    assert "Model a" in response.json()["message"] and "Model b" in response.json()["message"]
    # It is tried again.
    predictor.remove("b.broken")
    await broken.ensemble.members[1].ready.wait()
    assert (await broken.predict(1))["by"] == "b"


async def test_requests_before_the_first_member_is_ready_wait_for_it(serve: Serve) -> None:
    predictor = await serve("a", wait=False)
    assert (await predictor.predict("early"))["query"] == "early"


async def test_a_request_larger_than_a_batch_survives_a_death(serve: Serve) -> None:
    predictor = await serve("a", max_batch=2)
    member = predictor.ensemble.members[0]
    large = asyncio.create_task(predictor.post(queries=[{"sleep": 0.02, "i": i} for i in range(9)]))
    small = asyncio.create_task(predictor.predict({"i": 9}))
    await _until(lambda: member.n_answered >= 4)
    os.kill(_pid(predictor, 0), signal.SIGKILL)
    assert [p["query"]["i"] for p in (await large).json()["predictions"]] == list(range(9))
    assert (await small)["query"]["i"] == 9


async def test_a_member_that_dies_while_nothing_is_asked_is_replaced(serve: Serve) -> None:
    predictor = await serve("a")
    killed = _pid(predictor, 0)
    os.kill(killed, signal.SIGKILL)
    await _until(lambda: not predictor.ensemble.members[0].ready.is_set())
    await all_ready(predictor.ensemble)
    assert _pid(predictor, 0) != killed


def _pid(predictor: Predictor, index: int) -> int:
    pid = predictor.ensemble.members[index].pid
    assert pid is not None
    return pid


async def _until(condition: Any) -> None:
    """Give the loop to others until `condition` holds."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.002)
