"""The Python client of a Rafiki server."""

from rafiki.client.client import Client
from rafiki.client.errors import RafikiConnectionError
from rafiki.client.polling import Polling

__all__ = ["Client", "Polling", "RafikiConnectionError"]
