"""Where a server is: a host and a port, or a URL."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

_DEFAULT_PORT = 3000


def server_address(admin_host: str | None, admin_port: int | str | None) -> str:
    """The address to prefix to the paths of calls, such as `http://localhost:3000` or `https://host/rafiki`.

    What is not given comes from `RAFIKI_ADDR` and `ADMIN_EXT_PORT`, else it is localhost and 3000. A URL's port is
    the one it names, else `admin_port`, else its scheme's; `ADMIN_EXT_PORT` counts for a URL only beside `RAFIKI_ADDR`.
    """
    host = admin_host or os.environ.get("RAFIKI_ADDR") or "localhost"
    env_port = os.environ.get("ADMIN_EXT_PORT")
    if "://" not in host:
        port = int(admin_port or env_port or _DEFAULT_PORT)
        return f"http://{_bracketed(host)}:{port}"
    url = urlsplit(host)
    if url.scheme not in ("http", "https") or not url.hostname or url.query or url.fragment or url.username:
        raise ValueError(
            f"admin_host is {host!r}, expected a host such as localhost, or a URL such as https://rafiki.example.org"
        )
    port_text = url.port or admin_port or (None if admin_host else env_port)
    port_part = f":{int(port_text)}" if port_text else ""
    return f"{url.scheme}://{_bracketed(url.hostname)}{port_part}{url.path.rstrip('/')}"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host
