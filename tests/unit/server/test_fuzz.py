"""Whatever is sent to whatever route: no answer is a 500, and every answer is of the API's form."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from hypothesis.strategies import booleans
from schemathesis import Case, GenerationMode

from rafiki.store import Store
from tests.unit.server.api import Api, World

N_EXAMPLES = 5  # per route, of calls by its description and of others
TYPES = {"application/json", "application/octet-stream", "text/plain"}


def test_no_request_breaks_the_server(app: FastAPI, sign_in: Callable[..., Api], world: World, store: Store) -> None:
    superadmin = sign_in("SUPERADMIN")
    train_job = world.train_job(superadmin)
    trial = world.trial(train_job, 1, 0.5, b"params")
    known = {
        "app": "app",
        "version": "-1",
        "model_id": train_job.model_ids[0],
        "trial_id": trial.id,
        "dataset_id": train_job.train_dataset_id,
        "user_id": superadmin.user.id,
        "environment_id": "e",
        "token_id": store.users.add_token(superadmin.user.id, "hash", None, "nightly"),
    }
    n_answers: Counter[int] = Counter()

    def fuzz(case: Case, is_there: bool) -> None:
        if is_there:
            case.path_parameters = {name: known[name] for name in case.path_parameters or {}}
        response = case.call(headers={"Authorization": superadmin.headers["Authorization"]})
        n_answers[response.status_code] += 1
        content_type = response.headers["content-type"][0]
        if response.status_code == 200:
            assert content_type in TYPES
        else:
            assert 400 <= response.status_code < 500, response.text
            assert content_type == "application/json"
            assert set(response.json()) <= {"error", "message", "hint"}

    options = settings(
        max_examples=N_EXAMPLES,
        phases=[Phase.generate],
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    for found in schemathesis.openapi.from_asgi("/openapi.json", app).get_all_operations():
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            cases = found.ok().as_strategy(generation_mode=mode)
            try:
                options(given(case=cases, is_there=booleans())(fuzz))()
            except Unsatisfiable:  # a route without a body or parameters cannot be called wrongly
                assert mode is GenerationMode.NEGATIVE

    assert n_answers[200] > 60
    assert n_answers.total() > 200
