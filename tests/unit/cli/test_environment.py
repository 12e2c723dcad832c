"""`rafiki environment`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest


def environment(id, n_models=1, is_in_use=False, days_unused=0.0):
    last_used = datetime.now(UTC) - timedelta(days=days_unused)
    return {
        "id": id, "python": "3.11.7", "is_gpu": False, "n_models": n_models, "is_in_use": is_in_use,
        "packages": {"certifi": "2026", "numpy": "2.4.6", "scikit-learn": "1.9.1"},
        "size_bytes": 300 * 2**20, "own_bytes": 2**20,
        "datetime_created": last_used.isoformat(), "datetime_last_used": last_used.isoformat(),
    }  # fmt: skip


@pytest.fixture
def environments(admin):
    found = [environment("busy", is_in_use=True), environment("old", days_unused=40), environment("unneeded", 0)]
    admin.on("GET /environments", found)
    for one in found:
        admin.on(f"DELETE /environments/{one['id']}", {"id": one["id"]})
    return found


def removed(admin):
    return [asked.path.rpartition("/")[2] for asked in admin.asked if asked.method == "DELETE"]


def test_they_are_listed(environments, rafiki):
    done = rafiki("environment", "list")
    assert "numpy 2.4.6, scikit-learn 1.9.1 and 1 more" in done.out
    assert "300.0 MiB" in done.out and "1.0 MiB" in done.out
    assert rafiki("environment", "list", "--json").json == environments


def test_prune_shows_first_and_removes_nothing(admin, environments, rafiki):
    done = rafiki("environment", "prune")
    assert "unneeded" in done.out and "old" not in done.out
    assert done.out.endswith("1 environment, 1.0 MiB, would be removed. Do it with --yes.\n")
    assert removed(admin) == []


def test_prune_removes_what_no_model_needs(admin, environments, rafiki):
    assert rafiki("environment", "prune", "--yes").out.endswith("Removed 1 environment: 1.0 MiB.\n")
    assert removed(admin) == ["unneeded"]


def test_prune_removes_what_is_unused_for_long_where_it_is_told_to(admin, environments, rafiki):
    done = rafiki("environment", "prune", "--unused-for", "30", "--yes", "--json")
    assert [one["id"] for one in done.json["environments"]] == ["old", "unneeded"]
    assert removed(admin) == ["old", "unneeded"]


def test_nothing_to_prune(admin, rafiki):
    admin.on("GET /environments", [environment("busy", 0, is_in_use=True)])
    assert rafiki("environment", "prune").out == "No environment can be removed.\n"
