"""Where the server is: a host and a port, or a URL."""

from __future__ import annotations

import pytest

from rafiki.client import Client


@pytest.fixture(autouse=True)
def nothing_in_the_environment(monkeypatch):
    monkeypatch.delenv("RAFIKI_ADDR", raising=False)
    monkeypatch.delenv("ADMIN_EXT_PORT", raising=False)


@pytest.mark.parametrize(
    ("host", "port", "address"),
    [
        (None, None, "http://localhost:3000"),
        ("rafiki.example", 8000, "http://rafiki.example:8000"),
        ("::1", "99", "http://[::1]:99"),
        ("https://rafiki.example", None, "https://rafiki.example"),
        ("https://rafiki.example/", 8443, "https://rafiki.example:8443"),
        ("http://rafiki.example:81/team/rafiki/", 3000, "http://rafiki.example:81/team/rafiki"),
        ("http://[::1]:5", None, "http://[::1]:5"),
    ],
)
def test_address(host, port, address):
    assert Client(host, port).address == address


@pytest.mark.parametrize("host", ["ftp://host", "http://", "https://host?x=1", "http://me:secret@host"])
def test_what_is_no_address_is_refused(host):
    with pytest.raises(ValueError, match=r"admin_host is .*, expected a host such as localhost, or a URL"):
        Client(host)


def test_the_environment_counts_when_the_client_is_made(monkeypatch):
    monkeypatch.setenv("RAFIKI_ADDR", "rafiki.example")
    monkeypatch.setenv("ADMIN_EXT_PORT", "8000")
    assert Client().address == "http://rafiki.example:8000"
    assert Client(admin_host="localhost", admin_port=3000).address == "http://localhost:3000"
    assert Client("other").address == "http://other:8000"
    assert Client("https://other").address == "https://other"
    monkeypatch.setenv("RAFIKI_ADDR", "https://rafiki.example/x")
    assert Client().address == "https://rafiki.example:8000/x"


def test_calls_go_below_the_prefix_of_the_url(admin):
    admin.on("GET /team/rafiki/users", [])
    with Client(f"http://127.0.0.1:{admin.port}/team/rafiki/") as client:
        assert client.get_users() == []
