"""Signing in, addresses, and what a user reads when a call fails."""

from __future__ import annotations

import inspect
import pickle
import socket
import subprocess
import sys

import pytest

from rafiki.client import Client, RafikiConnectionError


def sign_in(admin, client):
    admin.on("POST /tokens", {"user_id": "u1", "user_type": "ADMIN", "token": "t0k"})
    return client.login(email="a@b", password="pw")


def test_login_says_who_and_sends_the_token_from_then_on(admin, client):
    assert client.get_current_user() is None
    assert sign_in(admin, client) == {"id": "u1", "user_type": "ADMIN"}
    assert admin.last.json == {"email": "a@b", "password": "pw"}
    assert client.get_current_user() == {"id": "u1", "user_type": "ADMIN"}
    admin.on("GET /users", [])
    assert client.get_users() == []
    assert admin.last.token == "Bearer t0k"


def test_logout_forgets_the_user_and_the_token(admin, client):
    sign_in(admin, client)
    client.logout()
    assert client.get_current_user() is None
    admin.on("GET /users", [])
    client.get_users()
    assert admin.last.token is None


def test_users(admin, client):
    admin.on("POST /users", {"id": "u2"})
    assert client.create_user(email="x@rafiki", password="pw", user_type="APP_DEVELOPER") == {"id": "u2"}
    assert admin.last.json == {"email": "x@rafiki", "password": "pw", "user_type": "APP_DEVELOPER"}
    admin.on("DELETE /users", {"id": "u2"})
    client.ban_user("x@rafiki")
    assert admin.last.json == {"email": "x@rafiki"}


def test_a_refusal_carries_the_error_of_the_server(admin, client):
    admin.refuse("POST /users", "UserExistsError", "x@y is taken", status=409, hint="choose another")
    with pytest.raises(RafikiConnectionError) as caught:
        client.create_user("x@y", "pw", "ADMIN")
    error = caught.value
    assert isinstance(error, ConnectionError)
    assert (error.name, error.message, error.hint, error.status) == (
        "UserExistsError",
        "x@y is taken",
        "choose another",
        409,
    )
    assert str(error) == "UserExistsError: x@y is taken (choose another)"
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.name, copy.status) == (str(error), error.name, error.status)


@pytest.mark.parametrize("status", [201, 204, 302])
def test_success_is_status_200_only(admin, client, status):
    admin.on("GET /users", [], status=status)
    with pytest.raises(RafikiConnectionError, match=str(status)):
        client.get_users()


def test_an_answer_that_is_not_ours_is_said_so(admin, client):
    admin.on("GET /users", b"<html>", status=502)
    with pytest.raises(RafikiConnectionError, match=r"InvalidAnswerError.*502.*Rafiki server"):
        client.get_users()


def test_nobody_there(monkeypatch):
    with socket.socket() as unused:  # bound but not listening: connections are refused
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(RafikiConnectionError) as caught:
            Client("127.0.0.1", port).login("a@b", "pw")
    assert f"http://127.0.0.1:{port}" in str(caught.value)
    assert "rafiki serve" in str(caught.value)
    assert caught.value.status is None


@pytest.mark.parametrize(
    ("answer", "is_up"), [("Rafiki 1.0 is up", True), ("nginx", False), ({"rafiki": 1}, False), (b"rafiki", False)]
)
def test_is_up_tells_a_rafiki_server_from_others(admin, client, answer, is_up):
    admin.on("GET /", answer)
    assert client.is_up() is is_up


def test_nobody_there_is_not_up(admin):
    assert Client("127.0.0.1", 1).is_up() is False


def test_the_address_comes_from_the_environment_when_the_client_is_made(monkeypatch):
    monkeypatch.delenv("RAFIKI_ADDR", raising=False)
    monkeypatch.delenv("ADMIN_EXT_PORT", raising=False)
    assert Client().address == "http://localhost:3000"
    monkeypatch.setenv("RAFIKI_ADDR", "rafiki.example")
    monkeypatch.setenv("ADMIN_EXT_PORT", "8000")
    assert Client().address == "http://rafiki.example:8000"
    assert Client(admin_host="localhost", admin_port=3000).address == "http://localhost:3000"
    assert Client("::1", "99").address == "http://[::1]:99"


def test_a_proxy_of_the_environment_is_not_asked_for_local_addresses(admin, client, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    admin.on("GET /users", [])
    assert client.get_users() == []


def test_repr_says_where_and_who(admin, client):
    assert repr(client) == f"<Client of http://127.0.0.1:{admin.port}, not signed in>"
    sign_in(admin, client)
    assert repr(client) == f"<Client of http://127.0.0.1:{admin.port}, signed in as ADMIN u1>"


def test_importing_the_client_loads_no_http_library_nor_numpy():
    loaded = "import rafiki.client, sys; print({'httpx', 'numpy', 'ssl'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", loaded], text=True) == "set()\n"


CONTRACT = """
login(email, password)
get_current_user()
logout()
create_user(email, password, user_type)
get_users()
ban_user(email)
create_dataset(name, task, dataset_path=None, dataset_url=None)
get_datasets(task=None)
create_model(name, task, model_file_path, model_class, dependencies=None, access_right='PRIVATE', docker_image=None)
get_model(model_id)
download_model_file(model_id, out_model_file_path)
get_available_models(task=None)
delete_model(model_id)
create_train_job(app, task, train_dataset_id, val_dataset_id, budget, models=None, train_args=None)
get_train_jobs_by_user(user_id)
get_train_jobs_of_app(app)
get_train_job(app, app_version=-1)
stop_train_job(app, app_version=-1)
get_trial(trial_id)
get_best_trials_of_train_job(app, app_version=-1, max_count=2)
get_trials_of_train_job(app, app_version=-1)
get_trial_logs(trial_id)
get_trial_parameters(trial_id)
load_trial_model(trial_id, ModelClass)
create_inference_job(app, app_version=-1, budget=None)
get_inference_jobs_by_user(user_id)
get_inference_jobs_of_app(app)
get_running_inference_job(app, app_version=-1)
stop_inference_job(app, app_version=-1)
stop_all_jobs()
"""


@pytest.mark.parametrize("line", CONTRACT.split("\n")[1:-1])
def test_signatures_are_those_of_the_contract(line):
    name = line.partition("(")[0]
    parameters = list(inspect.signature(getattr(Client, name)).parameters.values())[1:]
    plain = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in parameters]
    # What is ours comes after, and has defaults.
    assert f"{name}{inspect.Signature(plain)}".startswith(line.removesuffix(")"))
    assert all(parameter.default is not inspect.Parameter.empty for parameter in plain[line.count(",") + 1 :])
