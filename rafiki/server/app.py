"""The HTTP API of the contract, as one ASGI app."""

from __future__ import annotations

from fastapi import FastAPI

from rafiki import __version__
from rafiki.server.auth import Passwords
from rafiki.server.context import Context, Supervision
from rafiki.server.dataset_check import DatasetChecks
from rafiki.server.errors import install_error_handlers
from rafiki.server.routes import catalog, inference_jobs, platform, train_jobs, trials, users
from rafiki.settings import Settings
from rafiki.store import Store


def create_app(settings: Settings, store: Store, supervisor: Supervision) -> FastAPI:
    """The API over `store`; tells `supervisor` about what it changes there. Other apps may be mounted on it."""
    app = FastAPI(
        title="Rafiki",
        version=__version__,
        # Described at a route of our own; FastAPI's pages for it need a CDN.
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.context = Context(
        settings, store, supervisor, Passwords(), DatasetChecks(settings.dataset_check_time_limit_s)
    )
    for noun in (platform, users, catalog, train_jobs, trials, inference_jobs):
        app.include_router(noun.router)
    install_error_handlers(app)
    return app
