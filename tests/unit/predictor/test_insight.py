"""What a predictor tells of itself: figures for Prometheus, and explanations on request."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from tests.unit.predictor.conftest import IMAGE_TEMPLATE, Predictor, Serve


async def figures(predictor: Predictor) -> dict[tuple[str, str], float]:
    """Values by name and one label's value."""
    response = await predictor.client.get("/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain")
    return {
        (sample.name, next((sample.labels[key] for key in ("status", "le", "model") if key in sample.labels), "")): (
            sample.value
        )
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


async def test_figures_of_requests_and_members(serve: Serve) -> None:
    predictor = await serve("a", "b")
    assert (await figures(predictor))["rafiki_predictor_member_ready", "Model a"] == 1
    for queries in ([1], [1, 2, 3]):
        await predictor.post(queries=queries)
    await predictor.post()
    await predictor.post(query={"raise": "no luck"})
    found = await figures(predictor)
    by_status = {key[1]: value for key, value in found.items() if key[0] == "rafiki_predictor_requests_total"}
    assert by_status == {"200": 2, "400": 1, "503": 1}
    assert found["rafiki_predictor_queries_total", ""] == 4
    assert found["rafiki_predictor_open_requests", ""] == 0
    assert found["rafiki_predictor_request_seconds_count", ""] == 2
    assert found["rafiki_predictor_request_seconds_bucket", "+Inf"] == 2
    assert 0 < found["rafiki_predictor_request_seconds_sum", ""] < 20
    for name in ("Model a", "Model b"):
        assert found["rafiki_predictor_member_queries_total", name] == 4
        assert found["rafiki_predictor_member_queued", name] == 0
        assert found["rafiki_predictor_batch_queries_sum", name] == 4
        assert found["rafiki_predictor_batch_seconds_count", name] == 2
    assert ("process_resident_memory_bytes", "") in found


async def test_an_explanation_says_who_said_what(serve: Serve) -> None:
    predictor = await serve("a", "b", labels=["cat", "dog"])
    body = {"queries": [{"raise": "no luck", "only": "b"}, 2]}
    answer = (await predictor.client.post("/predict?explain=1", json=body)).json()
    assert set(answer) == {"prediction", "predictions", "explanation"}
    explanation = answer["explanation"]
    assert (explanation["labels"], explanation["took_s"] > 0) == (["cat", "dog"], True)
    first, second = explanation["members"]
    assert (first["model"], first["trial_id"], first["state"]) == ("Model a", "trial-a", "ready")
    assert first["predictions"] == answer["predictions"]
    assert first["failure"] is None
    assert second["predictions"] is None
    assert "no luck" in second["failure"]["message"]
    for address in ("/predict", "/predict?explain=0", "/predict?other=1", "/predict?explain="):
        plain = (await predictor.client.post(address, json={"query": 1})).json()
        assert set(plain) == {"prediction", "predictions"}


async def test_explained_votes_are_plain_json(serve: Serve) -> None:
    predictor = await serve("a", "bb", task="IMAGE_CLASSIFICATION", source=IMAGE_TEMPLATE)
    answer = (await predictor.client.post("/predict?explain=true", json={"query": [[51]]})).json()
    assert answer["prediction"] == [0.2, 1.0, 1.5]
    votes = [member["predictions"] for member in answer["explanation"]["members"]]
    assert votes == [[[0.2, 1.0, 1.0]], [[0.2, 1.0, 2.0]]]
