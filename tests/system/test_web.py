"""The page, in a real browser, over a real server with a real job."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.server_process import PASSWORD, ServerProcess, Until, Work

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (apt-get install chromium)")


@pytest.fixture
def page(server: ServerProcess) -> Iterator[Page]:
    """A page that may ask nobody but the server, and in which no script fails."""
    faults: list[str] = []

    def refuse_strangers(url: str) -> None:
        if urlsplit(url).netloc != f"127.0.0.1:{server.port}":
            faults.append(f"asked {url}")

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_page()
        page.on("request", lambda request: request.url.startswith("http") and refuse_strangers(request.url))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        yield page
        browser.close()
    assert faults == []


def sign_in(page: Page, server: ServerProcess, email: str, password: str) -> None:
    page.goto(f"http://127.0.0.1:{server.port}/web")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").first.fill(password)
    page.get_by_role("button", name="Sign in").click()


def test_a_wrong_password_is_told(page: Page, server: ServerProcess) -> None:
    sign_in(page, server, "superadmin@rafiki", "wrong")
    expect(page.get_by_role("alert")).not_to_be_empty()
    expect(page.get_by_role("button", name="Sign in")).to_be_enabled()


def test_somebody_without_jobs_is_told_how_one_starts(page: Page, server: ServerProcess) -> None:
    sign_in(page, server, "superadmin@rafiki", PASSWORD)
    expect(page.get_by_text("No train job yet")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()


def test_a_job_is_watched_live_from_its_start_to_its_end(
    page: Page, server: ServerProcess, tmp_path: Path, until: Until
) -> None:
    work = Work(server.user("MODEL_DEVELOPER", "watcher@example.org"), tmp_path)
    go = tmp_path / "go"
    work.train_job("watched", [work.model()], {"wait_for_file": str(go)}, MODEL_TRIAL_COUNT=2, WORKER_COUNT=1)
    sign_in(page, server, "watcher@example.org", "password")
    page.get_by_text("watched").click()
    expect(page.get_by_text("1 running")).to_be_visible()

    page.get_by_role("cell", name="Steps").first.click()
    expect(page.get_by_text("a standard record")).to_be_visible()  # while the trial runs
    expect(page.get_by_text("printed with x")).to_be_visible()

    go.touch()
    expect(page.get_by_text("2 completed")).to_be_visible(timeout=30_000)
    expect(page.get_by_text("STOPPED", exact=True)).to_be_visible()
    trial = work.client.get_best_trials_of_train_job("watched")[0]
    expect(page.get_by_role("cell", name=f"{trial['score']:.4f}").first).to_be_visible()
    expect(page.locator("canvas").first).to_be_visible()

    page.reload()  # the session outlives the page
    expect(page.get_by_text("2 completed")).to_be_visible()
    page.get_by_role("link", name="Rafiki").click()
    expect(page.get_by_role("cell", name="watched")).to_be_visible()
    page.screenshot(path=str(tmp_path / "jobs.png"))
