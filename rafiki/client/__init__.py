"""The Python client of a Rafiki server."""

from rafiki.client.async_client import AsyncClient
from rafiki.client.client import Client
from rafiki.client.errors import RafikiConnectionError
from rafiki.client.polling import Polling

__all__ = ["AsyncClient", "Client", "Polling", "RafikiConnectionError"]
