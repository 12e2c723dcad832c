"""The pages and what they share: sign-in, header, how trouble is shown."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import FastAPI
from nicegui import ui

from rafiki.client import RafikiConnectionError
from rafiki.web import session
from rafiki.web.job_page import JobView
from rafiki.web.jobs_page import JobsView

View = Callable[[session.Session], Awaitable[None]]


def make_pages(admin_host: str, admin_port: int) -> FastAPI:
    """The pages as an app of their own. They reach the HTTP API at `admin_host` and `admin_port`."""

    async def page(view: View) -> None:
        ui.colors(primary="#1f5f7a")
        await ui.context.client.connected()
        await show(view)

    async def show(view: View) -> None:
        current = session.current()
        if current is None:
            sign_in_card()
            return
        header(current)
        try:
            await view(current)
        except RafikiConnectionError as error:
            trouble(error)

    def sign_in_card() -> None:
        async def submit() -> None:
            problem.set_text("")
            button.disable()
            try:
                await session.sign_in(admin_host, admin_port, email.value or "", password.value or "")
            except RafikiConnectionError as error:
                problem.set_text(error.message)
                return
            finally:
                button.enable()
            ui.navigate.reload()

        with ui.card().classes("absolute-center w-80 p-6"):
            ui.label("Rafiki").classes("text-2xl font-medium")
            email = ui.input("E-mail").props("autofocus").classes("w-full")
            password = ui.input("Password", password=True, password_toggle_button=True).classes("w-full")
            problem = ui.label().classes("text-negative text-sm").props("role=alert")
            button = ui.button("Sign in", on_click=submit).classes("w-full")
            for field in (email, password):
                field.on("keydown.enter", submit)

    @ui.page("/", title="Jobs - Rafiki")
    async def jobs() -> None:
        await page(lambda current: JobsView(current).show())

    @ui.page("/jobs/{app}/{version}", title="Job - Rafiki")
    async def job(app: str, version: int) -> None:
        await page(lambda current: JobView(current, app, version).show())

    pages = FastAPI(openapi_url=None)
    ui.run_with(pages, title="Rafiki", show_welcome_message=False)
    return pages


def header(current: session.Session) -> None:
    def leave() -> None:
        session.sign_out()
        ui.navigate.to("/")

    with ui.header().classes("items-center"):
        ui.link("Rafiki", "/").classes("text-white text-xl font-medium no-underline")
        ui.space()
        ui.label(current.email)
        ui.button("Sign out", on_click=leave).props("flat color=white")


def trouble(error: RafikiConnectionError) -> None:
    """What the server refused, and what to do; a session that ended leads back to the sign-in."""
    with ui.card().classes("m-4 border-l-4 border-red-600"):
        ui.label(error.name).classes("font-medium")
        ui.label(error.message)
        if error.hint:
            ui.label(error.hint).classes("text-gray-600")
        if error.status == 401:
            session.sign_out()
            ui.button("Sign in again", on_click=lambda: ui.navigate.reload())
