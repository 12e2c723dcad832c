"""Queries that come as files, over HTTP: images, arrays, tables, alone or in forms."""

from __future__ import annotations

import io
from typing import Any

import httpx
import numpy as np
from PIL import Image

from tests.unit.predictor.conftest import IMAGE_TEMPLATE, Predictor, Serve


def png(value: int, height: int = 2) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (3, height), (value, value, value)).save(data, "PNG")
    return data.getvalue()


def npy(array: Any) -> bytes:
    data = io.BytesIO()
    np.save(data, array)
    return data.getvalue()


async def serve_images(serve: Serve, **policy: Any) -> Predictor:
    return await serve("a", task="IMAGE_CLASSIFICATION", source=IMAGE_TEMPLATE, **policy)


async def ask(predictor: Predictor, content: bytes, content_type: str = "application/octet-stream") -> httpx.Response:
    return await predictor.client.post("/predict", content=content, headers={"Content-Type": content_type})


async def send_form(predictor: Predictor, *parts: tuple[str, Any]) -> httpx.Response:
    return await predictor.client.post("/predict", files=list(parts))


async def test_an_image_as_the_body_is_one_query_whatever_its_content_type(serve: Serve) -> None:
    predictor = await serve_images(serve)
    for content_type in ("image/png", "application/x-www-form-urlencoded", "application/json"):
        answer = (await ask(predictor, png(51), content_type)).json()
        assert answer == {"prediction": [0.2, 2.0, 1.0], "predictions": []}


async def test_an_array_as_the_body_is_one_query_or_several(serve: Serve) -> None:
    predictor = await serve_images(serve)
    one = np.full((2, 3), 51, np.int64)
    assert (await ask(predictor, npy(one))).json()["prediction"] == [0.2, 2.0, 1.0]
    several = np.stack([np.full((2, 3, 3), value, np.uint8) for value in (0, 51)])
    answer = (await ask(predictor, npy(several))).json()
    assert answer == {"prediction": None, "predictions": [[0.0, 2.0, 1.0], [0.2, 2.0, 1.0]]}


async def test_files_in_a_form(serve: Serve) -> None:
    predictor = await serve_images(serve)
    one = await send_form(predictor, ("query", ("x.png", png(51), "image/png")))
    assert one.json() == {"prediction": [0.2, 2.0, 1.0], "predictions": []}
    parts = [("queries", png(51)), ("query", png(1)), ("queries", npy(np.zeros((2, 5, 3, 3), np.uint8)))]
    answer = (await send_form(predictor, *parts, ("queries", b"[[[0, 0, 0]]]"))).json()
    assert answer["prediction"] is None
    assert [height for _, height, _ in answer["predictions"]] == [2.0, 5.0, 5.0, 1.0]


async def test_a_table_is_a_query_per_row(serve: Serve) -> None:
    predictor = await serve("a", task="TABULAR_REGRESSION", source=TABLE_TEMPLATE)
    table = b"x,name\n1,a\n2.5,\n"
    for answer in (
        await ask(predictor, table, "text/csv; charset=utf-8"),
        await send_form(predictor, ("queries", ("rows.csv", table))),
    ):
        assert answer.json() == {"prediction": None, "predictions": [1.0, 2.5]}
    one = await send_form(predictor, ("query", ("rows.csv", b"x\n7\n", "text/csv")))
    assert one.json() == {"prediction": 7.0, "predictions": []}
    none = await ask(predictor, b"x\n", "text/csv")
    assert none.json() == {"prediction": None, "predictions": []}


async def test_what_is_wrong_with_a_file_is_said_and_where(serve: Serve) -> None:
    predictor = await serve_images(serve, max_pixels=20)
    for answer, status, said in [
        (await ask(predictor, png(1)[:40]), 400, "query: the image cannot be decoded"),
        (await ask(predictor, npy(np.full((2, 2, 3), 300))), 400, "query[0][0]"),
        (await ask(predictor, npy(np.array(["x"]))), 400, "query: the .npy file"),
        (await ask(predictor, b"x\n1\n", "text/csv"), 415, "tables"),
        (await send_form(predictor, ("queries", png(1)), ("queries", b"{")), 400, "no JSON"),
        (await send_form(predictor, ("queries", png(1)), ("queries", b'"x"')), 400, "queries[1]"),
        (await send_form(predictor, *[("queries", png(1, height=2))] * 4), 400, "queries[3]: the image has 3 x 2"),
        (await send_form(predictor, ("image", png(1))), 400, '"query"'),
        (await send_form(predictor, ("query", png(1)), ("query", png(1))), 400, '"query"'),
        (await ask(predictor, b"--B", "multipart/form-data; boundary=B"), 400, "closing boundary"),
        (await ask(predictor, b"nonsense", "multipart/form-data; boundary=B"), 400, "broken"),
        (await ask(predictor, b"x", "multipart/form-data"), 400, "boundary"),
    ]:
        assert answer.status_code == status, (said, answer.text)
        assert said in answer.json()["message"], (said, answer.text)
    custom = await serve("b")
    refused = await ask(custom, png(1))
    assert (refused.status_code, refused.json()["error"]) == (415, "InvalidRequestError")


#: Answers rows with their x.
TABLE_TEMPLATE = """
from rafiki.model import BaseModel, FixedKnob

class Template(BaseModel):
    @staticmethod
    def get_knob_config():
        return {"name": FixedKnob("a")}

    def __init__(self, **knobs):
        pass

    def train(self, dataset_path, shared_params=None, **train_args):
        pass

    def evaluate(self, dataset_path):
        return 1.0

    def predict(self, queries):
        return [float(query["x"]) for query in queries]

    def dump_parameters(self):
        return {}

    def load_parameters(self, params):
        pass
"""
