"""The predictor's HTTP interface, to the letter, over real sockets."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from typing import Any

from tests.unit.predictor.conftest import IMAGE_TEMPLATE, Predictor, Serve


async def test_one_query(serve: Serve) -> None:
    predictor = await serve("a")
    response = await predictor.post(query={"x": 1})
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.headers["Rafiki-Members"] == "1/1; Model a"
    answer = response.json()
    assert set(answer) == {"prediction", "predictions"}
    assert answer["prediction"]["query"] == {"x": 1}
    assert answer["predictions"] == []


async def test_several_queries(serve: Serve) -> None:
    predictor = await serve("a")
    answer = (await predictor.post(queries=[1, "two", None])).json()
    assert answer["prediction"] is None
    assert [prediction["query"] for prediction in answer["predictions"]] == [1, "two", None]
    answer = (await predictor.post(query=0, queries=[1])).json()
    assert answer["prediction"] is None
    assert [prediction["query"] for prediction in answer["predictions"]] == [1]
    assert (await predictor.post(queries=[])).json() == {"prediction": None, "predictions": []}


async def test_values_beyond_what_json_libraries_like(serve: Serve) -> None:
    predictor = await serve("a")
    assert (await predictor.predict(2**80))["query"] == 2**80
    assert (await predictor.predict("\u0000 \U0001f600 ü"))["query"] == "\u0000 \U0001f600 ü"


async def test_get_says_it_is_up(serve: Serve) -> None:
    predictor = await serve("a")
    response = await predictor.client.get("/")
    assert (response.status_code, response.text) == (200, "The predictor is up.\n")
    assert response.headers["content-type"].startswith("text/plain")
    assert (await predictor.client.head("/")).status_code == 200


async def test_errors_are_json_with_a_name_and_a_message(serve: Serve) -> None:
    predictor = await serve("a", task="IMAGE_CLASSIFICATION", source=IMAGE_TEMPLATE, wait=False)
    for method, path, body, status, error in [
        ("GET", "/predict", b"", 405, "MethodNotAllowedError"),
        ("PUT", "/predict", b"{}", 405, "MethodNotAllowedError"),
        ("POST", "/", b"{}", 405, "MethodNotAllowedError"),
        ("POST", "/predict/", b"{}", 404, "NotFoundError"),
        ("GET", "/nothing", b"", 404, "NotFoundError"),
        ("POST", "/predict", b"{}", 400, "InvalidRequestError"),
        ("POST", "/predict", b"", 400, "InvalidRequestError"),
        ("POST", "/predict", b"{nonsense", 400, "InvalidRequestError"),
        ("POST", "/predict", b"[1, 2]", 400, "InvalidRequestError"),
        ("POST", "/predict", b'{"query": [[1], [2, 3]]}', 400, "InvalidQueryError"),
        ("POST", "/predict", b'{"queries": 3}', 400, "InvalidQueryError"),
    ]:
        response = await predictor.client.request(method, path, content=body)
        assert response.status_code == status, (method, path, body)
        assert response.headers["content-type"] == "application/json"
        assert response.json()["error"] == error
        assert response.json()["message"]
        assert ("allow" in response.headers) == (status == 405)


async def test_large_bodies_are_refused_while_they_are_read(serve: Serve) -> None:
    predictor = await serve("a", max_body_bytes=200_000)
    assert (await predictor.predict("x" * 150_000))["query"] == "x" * 150_000
    refused = await predictor.post(query="x" * 250_000)
    assert (refused.status_code, refused.json()["error"]) == (413, "PayloadTooLargeError")

    async def pieces() -> Any:
        for _ in range(100):
            yield b"x" * 10_000

    refused = await predictor.client.post("/predict", content=pieces())
    assert (refused.status_code, refused.json()["error"]) == (413, "PayloadTooLargeError")
    assert (await predictor.predict(1))["query"] == 1


async def test_bodies_in_pieces(serve: Serve) -> None:
    predictor = await serve("a")

    async def pieces() -> Any:
        for piece in (b'{"que', b'ry": "', b"y" * 100_000, b'"}'):
            yield piece

    response = await predictor.client.post("/predict", content=pieces())
    assert response.json()["prediction"]["query"] == "y" * 100_000


async def test_a_body_that_does_not_arrive_is_given_up(serve: Serve) -> None:
    predictor = await serve("a", time_limit_s=0.3)
    answer = await _raw(predictor, b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{")
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"InvalidRequestError" in answer


async def test_what_is_no_http_is_refused_as_json(serve: Serve) -> None:
    predictor = await serve("a", wait=False)
    answer = await _raw(predictor, b"what is this\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ") and b"application/json" in head
    assert json.loads(body)["error"] == "InvalidRequestError"


async def test_a_connection_takes_many_requests_also_ahead_of_their_answers(serve: Serve) -> None:
    predictor = await serve("a")
    requests = b""
    for i in range(20):
        body = json.dumps({"query": i}).encode()
        requests += b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    requests += b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answer = await _raw(predictor, requests)
    assert answer.count(b"HTTP/1.1 200 OK") == 21
    assert [int(number) for number in _numbers_after(answer, b'"query":')] == list(range(20))


async def test_a_client_that_goes_away_harms_nobody(serve: Serve) -> None:
    predictor = await serve("a")
    body = b'{"query": {"sleep": 0.1}}'
    for _ in range(3):
        _, writer = await asyncio.open_connection(*_address(predictor))
        writer.write(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        await writer.drain()
        writer.close()
    assert (await predictor.predict(1))["query"] == 1


def _address(predictor: Predictor) -> tuple[str, int]:
    host, _, port = predictor.url.removeprefix("http://").partition(":")
    return host, int(port)


async def _raw(predictor: Predictor, request: bytes) -> bytes:
    """What comes back for these bytes, until the connection is closed."""
    reader, writer = await asyncio.open_connection(*_address(predictor))
    writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    writer.write(request)
    try:
        return await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()


def _numbers_after(text: bytes, key: bytes) -> Iterator[bytes]:
    for piece in text.split(key)[1:]:
        yield piece.partition(b"}")[0]
