"""What no template can do to the platform, also where there is nothing to confine it with.

`tests/system/test_hostile.py` has what bubblewrap adds, and a neighbour.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from rafiki.entities import Trial
from tests.hostile import FAIL, LIMITS, SEEN_BY_THE_CHECK, source_of
from tests.platform_parts import Parts, make_settings, running_parts

MARK = "86397.25"

#: Some of each kind; the others, some of which take seconds, are tried in a sandbox.
DEADLY = (
    "crashes", "starts_threads", "fills_memory", "fills_the_disk_by_one_file", "fills_its_output",
    "gives_a_link_for_parameters", "forges_a_reason", "sends_half_a_frame",
)  # fmt: skip
HARMLESS = ("leaves_daemons", "patches_numpy")
REFUSED = ("ends_at_import", "lies_about_knobs")


@pytest.fixture
async def parts(tmp_path: Path) -> AsyncIterator[Parts]:
    async with running_parts(make_settings(tmp_path, confinement="off", **LIMITS)) as running:
        yield running


async def test_without_a_sandbox_every_way_to_die_has_a_name_and_stays_alone(parts: Parts, tmp_path: Path) -> None:
    """All ways as trials of one job: none takes another, or the runner, with it."""
    precious = tmp_path / "precious"
    precious.write_text("kept")
    ways = [*DEADLY, *HARMLESS]
    models = {parts.add_model("Way", source_of(way)).id: way for way in ways}
    refused = {parts.add_model("Way", source_of(way)).id: SEEN_BY_THE_CHECK[way] for way in REFUSED}
    job = parts.add_train_job(
        [model for model_id in [*models, *refused] if (model := parts.store.catalog.get_model(model_id))],
        {"MODEL_TRIAL_COUNT": 1, "TIME_HOURS": 0.1},
        {"secrets": [str(precious)], "mark": MARK},
    )
    job = await parts.end_of(job)
    assert job.status == "ERRORED"

    for model_id, code in refused.items():
        model = parts.store.catalog.get_model(model_id)
        assert model is not None and model.error is not None
        assert (model.status, model.error.code) == ("INVALID", code)
    trials: dict[str, Trial] = {models[trial.model_id]: trial for trial in parts.store.trials.list(job.id)}
    found = {way: (trial.status, trial.error.code if trial.error else None) for way, trial in trials.items()}
    assert found == {way: ("ERRORED", FAIL[way][0]) for way in DEADLY} | dict.fromkeys(HARMLESS, ("COMPLETED", None))
    for way in DEADLY:
        error = trials[way].error
        assert error is not None
        assert FAIL[way][1] in error.message
    assert precious.read_text() == "kept"
    assert not [path for path in Path("/proc").glob("[0-9]*/cmdline") if _holds(path, MARK)]


def _holds(path: Path, text: str) -> bool:
    try:
        return text.encode() in path.read_bytes()
    except OSError:  # the process has ended
        return False
