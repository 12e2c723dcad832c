"""Uploads to a real server process: large ones, broken-off ones, and those that the server fetches itself."""

from __future__ import annotations

import contextlib
import http.server
import socket
import threading
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import httpx
import pytest

from rafiki.client import Client
from rafiki.client.errors import RafikiConnectionError
from tests.server_process import PASSWORD, ServerProcess

LARGE_BYTES = 256 * 2**20
MAX_GROWTH_BYTES = 64 * 2**20
STEP = bytes(2**20)


@pytest.fixture
def client(server: ServerProcess, request: pytest.FixtureRequest) -> Client:
    return server.user("APP_DEVELOPER", f"{abs(hash(request.node.name))}@example.org")


def resident_bytes(pid: int, kind: str) -> int:
    [line] = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith(kind)]
    return int(line.split()[1]) * 1024


def sign_in(server: ServerProcess) -> str:
    credentials = {"email": "superadmin@rafiki", "password": PASSWORD}
    token: str = httpx.post(f"http://127.0.0.1:{server.port}/tokens", json=credentials).json()["token"]
    return token


def test_a_large_upload_takes_little_memory(server: ServerProcess, client: Client, tmp_path: Path) -> None:
    assert server.process is not None
    path = tmp_path / "large.bin"
    with path.open("wb") as file:
        file.truncate(LARGE_BYTES)
    before = resident_bytes(server.process.pid, "VmRSS")
    dataset = client.create_dataset("large", "ANY", dataset_path=str(path))
    assert dataset["size_bytes"] == LARGE_BYTES
    assert resident_bytes(server.process.pid, "VmHWM") - before < MAX_GROWTH_BYTES


def test_a_client_that_goes_away_leaves_nothing(server: ServerProcess) -> None:
    token = sign_in(server)
    partial = server.data_dir / "blobs" / "partial"
    head = (
        f"POST /datasets HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: {2**30}\r\n"
        "Content-Type: multipart/form-data; boundary=B\r\n\r\n"
        '--B\r\nContent-Disposition: form-data; name="dataset"\r\n\r\n'
    )
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(head.encode())
        while not list(partial.iterdir()):  # ends as soon as the server has begun to write
            connection.sendall(STEP)
    datasets = httpx.get(
        f"http://127.0.0.1:{server.port}/datasets", headers={"Authorization": f"Bearer {token}"}
    ).json()
    assert datasets == []
    for _ in range(1000):
        if not list(partial.iterdir()):
            return
        httpx.get(f"http://127.0.0.1:{server.port}/")
    raise AssertionError("the upload's file is still there")


def test_too_large_is_said_to_clients_that_go_on_sending(own_server_with_small_limit: ServerProcess) -> None:
    server = own_server_with_small_limit
    files = {"dataset": bytes(8 * 2**20)}
    headers = {"Authorization": f"Bearer {sign_in(server)}"}
    url = f"http://127.0.0.1:{server.port}/datasets"
    answer = httpx.post(url, data={"name": "d", "task": "T"}, files=files, headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (413, "PayloadTooLargeError")


@pytest.fixture
def own_server_with_small_limit(tmp_path: Path) -> Iterator[ServerProcess]:
    server = ServerProcess(tmp_path / "data", RAFIKI_MAX_UPLOAD_BYTES=str(2**20))
    server.start()
    yield server
    assert server.stop() == 0


class FileSite(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/data.csv":
            self.send_response(HTTPStatus.OK)
            self.end_headers()
            self.wfile.write(b"a,b\n" * 100_000)
        elif self.path == "/moved":
            self.send_response(HTTPStatus.FOUND)
            self.send_header("Location", "/data.csv")
            self.end_headers()
        elif self.path == "/to-a-file":
            self.send_response(HTTPStatus.FOUND)
            self.send_header("Location", "file:///etc/hostname")
            self.end_headers()
        elif self.path == "/cut-off":
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"short")
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), FileSite) as files:
        thread = threading.Thread(target=files.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{files.server_port}"
        files.shutdown()
        thread.join()


def test_the_server_fetches_a_dataset(client: Client, site: str) -> None:
    for path in ("/data.csv", "/moved"):
        assert client.create_dataset("d", "ANY", dataset_url=site + path)["size_bytes"] == 400_000


@pytest.mark.parametrize("path", ["/nothing", "/to-a-file", "/cut-off"])
def test_what_cannot_be_fetched_leaves_nothing(server: ServerProcess, client: Client, site: str, path: str) -> None:
    with pytest.raises(RafikiConnectionError, match="InvalidDatasetError"):
        client.create_dataset("d", "ANY", dataset_url=site + path)
    assert client.get_datasets() == []
    with contextlib.suppress(FileNotFoundError):
        assert list((server.data_dir / "blobs" / "partial").iterdir()) == []
