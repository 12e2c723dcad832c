"""Servers that are away for a moment: what is asked again, and what never is."""

from __future__ import annotations

import socket
import threading

import pytest

from rafiki.client import Client, Polling, RafikiConnectionError


def busy_at_first(n, answer):
    left = [503] * n

    def respond(asked):
        if left:
            return left.pop(), {"error": "ServiceUnavailableError", "message": "busy"}
        return 200, answer

    return respond


def test_what_only_asks_is_asked_again_and_ever_later(admin, client, fake_time):
    admin.on("GET /users", busy_at_first(3, []))
    assert client.get_users() == []
    assert fake_time.slept == [0.1, 0.3, 0.9]


def test_there_is_an_end_to_it(admin, client, fake_time):
    admin.on("GET /users", busy_at_first(9, []))
    with pytest.raises(RafikiConnectionError, match="ServiceUnavailableError: busy"):
        client.get_users()
    assert len(admin.asked) == 4


def test_stopping_is_done_again_and_making_never(admin, client, fake_time):
    admin.on("POST /train_jobs/app/-1/stop", busy_at_first(1, {"id": "j"}))
    assert client.stop_train_job("app") == {"id": "j"}
    admin.on("POST /train_jobs", busy_at_first(1, {"id": "j"}))
    with pytest.raises(RafikiConnectionError, match="busy"):
        client.create_train_job("app", "T", "d", "d", {}, models=["m"])
    assert admin.last.path == "/train_jobs"
    assert len(fake_time.slept) == 1


@pytest.fixture
def dropping():
    """A server that hangs up on the first connections without an answer, then answers an empty list."""
    listener = socket.create_server(("127.0.0.1", 0))
    n_left = [2]
    heard = []

    def serve():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                heard.append(connection.recv(65536).split(b" ")[0])
                if n_left[0]:
                    n_left[0] -= 1
                    continue
                connection.sendall(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
                    b"Connection: close\r\n\r\n[]"
                )

    thread = threading.Thread(target=serve)
    thread.start()
    yield listener.getsockname()[1], heard
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


def test_a_broken_connection_is_made_again_for_what_only_asks(dropping, fake_time):
    port, heard = dropping
    polling = Polling(sleep=fake_time.sleep, now=lambda: fake_time.now_s)
    with Client("127.0.0.1", port, polling=polling) as client:
        assert client.get_users() == []
    assert heard == [b"GET"] * 3


def test_a_broken_connection_is_an_error_for_what_makes_something(dropping, fake_time):
    port, heard = dropping
    with (
        Client("127.0.0.1", port, polling=Polling(sleep=fake_time.sleep)) as client,
        pytest.raises(RafikiConnectionError, match=r"ConnectionLostError.*may have been done, or not"),
    ):
        client.create_user("a@b", "pw", "ADMIN")
    assert heard == [b"POST"]


def test_an_upload_that_is_refused_at_once_says_why(admin, client, tmp_path):
    with (tmp_path / "large").open("wb") as file:
        file.truncate(20 * 2**20)
    admin.refuse("POST /datasets", "InvalidDatasetError", "not a zip")
    with pytest.raises(RafikiConnectionError, match="not a zip"):
        client.create_dataset("n", "t", tmp_path / "large")


def test_waiting_outlasts_a_restart_of_the_server(admin, client, fake_time):
    job = {"id": "j", "app_version": 1}
    admin.on("GET /train_jobs/app/1", busy_at_first(30, {**job, "status": "STOPPED"}))
    admin.on("GET /train_jobs/app/-1", {**job, "status": "RUNNING"})
    assert client.wait_until_train_job_has_stopped("app")["status"] == "STOPPED"


def test_waiting_ends_when_the_server_stays_away(admin, client, fake_time):
    admin.on("GET /train_jobs/app/1", busy_at_first(1000, {}))
    admin.on("GET /train_jobs/app/-1", {"id": "j", "app_version": 1, "status": "RUNNING"})
    with pytest.raises(RafikiConnectionError, match="busy"):
        client.wait_until_train_job_has_stopped("app")
    assert 60 < fake_time.now_s < 65
