"""The HTTP API of the contract, as one ASGI app."""

from __future__ import annotations

from fastapi import FastAPI

from rafiki import __version__
from rafiki.executor import Checker
from rafiki.server.auth import Passwords
from rafiki.server.context import Context, Supervision
from rafiki.server.errors import install_error_handlers
from rafiki.server.routes import catalog, datasets, environments, inference_jobs, platform, train_jobs, trials, users
from rafiki.settings import Settings
from rafiki.store import Store

#: Uploads looked at, and previews made, at a time.
_MAX_CHECKERS = 2


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
    checker = Checker(settings, max_parallel=_MAX_CHECKERS)
    app.state.context = Context(settings, store, supervisor, Passwords(), checker)
    for noun in (platform, users, datasets, catalog, environments, train_jobs, trials, inference_jobs):
        app.include_router(noun.router)
    install_error_handlers(app)
    return app
