"""`rafiki demo`: Rafiki's main job on real data, from users to a served ensemble.

Everything but the server's start and stop goes through the public client, as any user's program would.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rafiki.cli.demo_examples import TASK, TEMPLATES, Examples, read_images, template_dependencies
from rafiki.cli.demo_server import DemoServer
from rafiki.cli.demo_view import DemoView, best_class
from rafiki.client import Client, RafikiConnectionError
from rafiki.constants import BudgetOption, ModelAccessRight, TrainJobStatus, UserType
from rafiki.errors import RafikiError

_APP = "digits"
_N_TRIALS = 5
_BUDGET = {BudgetOption.MODEL_TRIAL_COUNT: _N_TRIALS, BudgetOption.TIME_HOURS: 0.05}
_WAIT_LIMIT_S = 300.0
_N_SHOWN = 4
_QUERIES_PER_REQUEST = 32
_SUPERADMIN = "superadmin@rafiki"
_USERS = {
    "admin@demo": UserType.ADMIN,
    "model-developer@demo": UserType.MODEL_DEVELOPER,
    "app-developer@demo": UserType.APP_DEVELOPER,
}
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def demo(keep: bool) -> int:
    """Runs the demo; 0 if all of it worked and nothing was left running, 130 if it was interrupted, else 1."""
    started = time.monotonic()
    view = DemoView()
    view.title("Rafiki: from two model templates to a served ensemble, on real data")
    examples = Examples()
    folder = Path(tempfile.mkdtemp(prefix="rafiki-demo-"))
    server = DemoServer(folder)
    status = 1
    try:
        with _interrupted_by_signals():
            _Story(view, server, examples, folder).tell(keep)
        status = 0
    except KeyboardInterrupt:
        view.complain("\nInterrupted.")
        status = 130
    except (RafikiError, RafikiConnectionError, TimeoutError) as error:
        view.complain(f"\nThe demo failed: {error}")
        if hint := getattr(error, "hint", ""):
            view.say(hint)
        view.say(f"The server's last words:\n{server.last_output()}")
    finally:
        if status or not keep:
            status = _clean_up(view, server, folder) or status
    if status == 0:
        view.title(f"\nDone in {time.monotonic() - started:.0f} seconds.")
    return status


def _clean_up(view: DemoView, server: DemoServer, folder: Path) -> int:
    """Stops the server and removes the folder; 0 if the server's own stop had left nothing running."""
    for one in _SIGNALS:  # a second Ctrl-C must not interrupt this; it takes seconds at most
        signal.signal(one, signal.SIG_IGN)
    view.step("Stop everything")
    left = server.stop()
    shutil.rmtree(folder, ignore_errors=True)
    for process in left:
        view.complain(f"   was left running, and is now killed: {process}")
    if not left:
        view.say("The server is stopped, none of its processes is left, and its folder is removed.")
    return 1 if left else 0


@contextmanager
def _interrupted_by_signals() -> Iterator[None]:
    """Within it, SIGTERM and SIGHUP interrupt as Ctrl-C does."""

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    before = {one: signal.signal(one, interrupt) for one in _SIGNALS}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


class _Story:
    """What the users of a platform do, in order."""

    def __init__(self, view: DemoView, server: DemoServer, examples: Examples, folder: Path) -> None:
        self._view = view
        self._server = server
        self._examples = examples
        self._folder = folder
        self._passwords = {email: secrets.token_urlsafe(12) for email in _USERS}

    def tell(self, keep: bool) -> None:
        self._start_server()
        self._create_users()
        with self._sign_in("model-developer@demo") as model_developer, self._sign_in("app-developer@demo") as client:
            data = self._upload_data(client)
            self._submit_templates(model_developer)
            self._train(client, data["train_id"], data["val_id"])
            predictor_host = self._deploy(client)
            self._measure(client, data["test_path"])
            self._publish_starters()
            if keep:
                self._say_what_is_kept(predictor_host)
            else:
                client.stop_inference_job(_APP)

    def _start_server(self) -> None:
        self._view.step("Start a server: rafiki serve")
        started = time.monotonic()
        self._server.start()
        self._view.say(f"It answers at {self._server.url} after {time.monotonic() - started:.1f} s.")

    def _connect(self) -> Client:
        address = urlsplit(self._server.url)
        return Client(address.hostname, address.port)

    def _sign_in(self, email: str) -> Client:
        client = self._connect()
        client.login(email, self._passwords[email])
        return client

    def _create_users(self) -> None:
        self._view.step("Create users")
        with self._connect() as superadmin:
            superadmin.login(_SUPERADMIN, self._server.password_path.read_text().strip())
            for email, user_type in _USERS.items():
                superadmin.create_user(email, self._passwords[email], user_type)
                self._view.say(f"{email:<22} {user_type}")

    def _upload_data(self, client: Client) -> dict[str, Any]:
        self._view.step("The app developer uploads data: scikit-learn's images of handwritten digits")
        paths = self._examples.make_digits(self._folder)
        uploaded = {part: client.create_dataset(f"digits_{part}", TASK, paths[part]) for part in ("train", "val")}
        for dataset in uploaded.values():
            self._view.say(f"{dataset['name']:<22} {dataset['size_bytes']:,} bytes")
        self._view.say("digits_test            stays here, untouched until the end")
        return {"train_id": uploaded["train"]["id"], "val_id": uploaded["val"]["id"], "test_path": paths["test"]}

    def _submit_templates(self, client: Client) -> None:
        self._view.step("The model developer submits model templates")
        for name in TEMPLATES:
            path = self._examples.template_path(name)
            client.create_model(name, TASK, path, name, template_dependencies(), ModelAccessRight.PUBLIC)
            self._view.say(f"{name:<22} {'/'.join(path.parts[-4:])}")

    def _train(self, client: Client, train_id: str, val_id: str) -> None:
        self._view.step(f"The app developer starts a train job: {_N_TRIALS} trials of each template")
        client.create_train_job(_APP, TASK, train_id, val_id, _BUDGET)
        with self._view.training(TEMPLATES, _N_TRIALS) as progress:
            job = client.wait_until_train_job_has_stopped(_APP, timeout=_WAIT_LIMIT_S, progress=progress)
        if job["status"] != TrainJobStatus.STOPPED:
            why = job.get("error") or {}
            raise RafikiError(f"the train job ended {job['status']}: {why.get('message')}", hint=why.get("hint"))
        self._view.say("The best trials, by accuracy on the validation data:")
        self._view.trials(client.get_best_trials_of_train_job(_APP, max_count=5))

    def _deploy(self, client: Client) -> str:
        self._view.step("The best trial of each template is deployed, together as one ensemble")
        client.create_inference_job(_APP)
        job = client.wait_until_inference_job_is_running(_APP, timeout=_WAIT_LIMIT_S)
        self._view.say(f"POST http://{job['predictor_host']}/predict answers queries.")
        return str(job["predictor_host"])

    def _measure(self, client: Client, test_path: Path) -> None:
        images, labels = read_images(test_path)
        self._view.step(f"Queries are sent: all {len(images)} images of the untouched test set")
        started = time.monotonic()
        predictions: list[list[float]] = []
        for first in range(0, len(images), _QUERIES_PER_REQUEST):
            predictions += client.predict(_APP, queries=images[first : first + _QUERIES_PER_REQUEST])
        self._view.say(f"Answered in {time.monotonic() - started:.1f} s. The first {_N_SHOWN}:")
        self._view.predictions(images[:_N_SHOWN], labels[:_N_SHOWN], predictions[:_N_SHOWN])
        self._view.say("Accuracy on the test set (the members' by their parameters, downloaded and loaded here):")
        self._view.accuracies(
            {
                **{
                    f"{name}, best trial": _accuracy(p, labels) for name, p in self._ask_members(client, images).items()
                },
                "ensemble (the mean of their probabilities)": _accuracy(predictions, labels),
            }
        )

    def _ask_members(self, client: Client, images: list[Any]) -> dict[str, list[list[float]]]:
        """Predictions of each member: the best trial of its template."""
        best: dict[str, str] = {}
        for trial in client.get_best_trials_of_train_job(_APP, max_count=len(TEMPLATES) * _N_TRIALS):
            best.setdefault(trial["model_name"], trial["id"])
        models = {name: client.load_trial_model(id, self._examples.template_class(name)) for name, id in best.items()}
        return {name: model.predict(images) for name, model in models.items()}

    def _publish_starters(self) -> None:
        from rafiki.starters import install_starters

        self._view.step("The admin publishes starter models, for whoever comes with data but no templates")
        with self._sign_in("admin@demo") as admin:
            by_task = groupby(install_starters(admin), key=lambda model: str(model["task"]))
            for task, models in by_task:
                self._view.say(f"{task:<22} {', '.join(model['name'] for model in models)}")

    def _say_what_is_kept(self, predictor_host: str) -> None:
        passwords_path = self._folder / "passwords.json"
        with open(passwords_path, "w", opener=_private) as file:
            json.dump(self._passwords, file, indent=2)
        self._view.step("Everything is left up")
        self._view.say(f"server      {self._server.url}")
        self._view.say(f"predictor   http://{predictor_host}/predict")
        self._view.say(f"superadmin  {_SUPERADMIN}, its password is in {self._server.password_path}")
        self._view.say(f"users       {', '.join(_USERS)}, their passwords are in {passwords_path}")
        self._view.say(f"to stop it  kill {self._server.pid}; then remove {self._folder}")


def _accuracy(predictions: list[list[float]], labels: list[int]) -> float:
    right = [best_class(prediction) == label for prediction, label in zip(predictions, labels, strict=True)]
    return sum(right) / len(right)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
