"""The web page: read-only for now (sign in, jobs, live progress of one job), over the client alone.

`WebApp` is what a server mounts at `/web`.
"""

from rafiki.web.app import WebApp

__all__ = ["WebApp"]
