"""The worker program, top to bottom: load the template once, then answer the runner's requests one by one."""

from __future__ import annotations

import faulthandler
import gc
import json
import logging
import os
import resource
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Type

import numpy as np

from rafiki.entities import Failure, FailureCode
from rafiki.errors import InvalidParamsError
from rafiki.model import BaseModel, dataset, load_model_class, serialize_knob_config
from rafiki.model.params import Params, load_params, save_params
from rafiki.model.rules import check_model_class
from rafiki.worker.channel import Channel
from rafiki.worker.failures import (
    DISK_HINT,
    TrialFailed,
    failure_of,
    format_user_traceback,
    import_failure_of,
    is_disk_full,
    set_confined,
)
from rafiki.worker.frames import (
    Exit,
    Failed,
    Inspected,
    Load,
    Loaded,
    Predict,
    Predicted,
    Reply,
    Request,
    Train,
    Trained,
)
from rafiki.worker.trial import bad_predictions, check_predictions, destroy, run_trial
from rafiki.worker.trial_log import TrialLog
from rafiki.worker.values import as_vectors

#: After a trial that took longer its garbage is collected, for models often hold themselves in cycles.
_COLLECT_AFTER_S = 1.0

_log = logging.getLogger("rafiki.worker")


@dataclass(frozen=True)
class Start:
    """What an executor tells a worker on its command line, as a JSON object.

    It has a socket already, or (in a container) connects to its runner's: once for frames, once for what it prints.
    """

    parent_pid: int
    is_confined: bool  # by a sandbox, whose first process is the parent, or by a container
    has_network: bool
    max_tasks: Optional[int]  # processes and threads, where the kernel counts those of this worker alone
    model_path: str
    model_class: str
    scratch_dir: str
    cache_dir: Optional[str] = None  # where decoded datasets are kept
    fd: Optional[int] = None  # its end of the socket
    socket_path: Optional[str] = None
    is_container: bool = False  # whose first process this program was


def main(start_json: str) -> int:
    start = Start(**json.loads(start_json))
    if start.max_tasks is not None:
        resource.setrlimit(resource.RLIMIT_NPROC, (start.max_tasks, start.max_tasks))
    set_confined(start.is_confined, start.has_network)
    os.chdir(start.scratch_dir)
    channel = Channel(_connection(start), start.scratch_dir)
    channel.end_with_connection()
    channel.close_in_forks()
    faulthandler.enable()  # a crash of native code shows in the last output
    log = TrialLog(channel)
    log.capture()
    dataset.set_cache_dir(start.cache_dir)
    template = Template(start, log)
    while True:
        received = channel.receive()
        if received is None or isinstance(received[1], Exit):
            break
        message_id, request = received
        channel.reply(message_id, template.answer(request), on_unsendable=template.unsendable)
    template.close()
    return 0


def _connection(start: Start) -> socket.socket:
    if start.socket_path is None:
        return socket.socket(fileno=start.fd)
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(start.socket_path)
    printing = socket.socket(socket.AF_UNIX)
    printing.connect(start.socket_path)
    for fd in (1, 2):
        os.dup2(printing.fileno(), fd)
    printing.close()
    return connection


class Template:
    """The model class of this worker, and the instance that serves predictions once it is loaded."""

    def __init__(self, start: Start, log: TrialLog) -> None:
        self._log = log
        self._class: Optional[Type[BaseModel]] = None
        self._model: Optional[BaseModel] = None
        self._import_failure: Optional[Failure] = None
        try:
            self._class = load_model_class(Path(start.model_path).read_bytes(), start.model_class)
        except BaseException as error:  # noqa: BLE001 (a template may raise anything; told at the first request)
            _log.error(format_user_traceback(error))
            self._import_failure = import_failure_of(error)

    def answer(self, request: Request) -> Reply:
        if self._class is None:
            assert self._import_failure is not None
            return Failed(self._import_failure)
        try:
            if isinstance(request, Predict):
                return self._predict(request)
            if isinstance(request, Train):
                return self._train(self._class, request)
            if isinstance(request, Load):
                return self._load(self._class, request)
            return self._inspect(self._class)
        except TrialFailed as error:
            return Failed(error.failure)
        except BaseException as error:  # noqa: BLE001 (a template may raise anything, and none ends the worker)
            _log.error(format_user_traceback(error))
            return Failed(failure_of(error, self._class))

    def _inspect(self, model_class: Type[BaseModel]) -> Reply:
        problems = check_model_class(model_class)
        if problems:
            return Failed(Failure(FailureCode.INVALID_MODEL_CLASS, " ".join(problems)))
        return Inspected(serialize_knob_config(model_class.get_knob_config()), [])

    def _train(self, model_class: Type[BaseModel], request: Train) -> Reply:
        started = time.monotonic()
        self._log.begin(request.trial_id)
        try:
            shared_params = _read_params(request.shared_params_path) if request.shared_params_path else None
            outcome = run_trial(
                model_class,
                request.knobs,
                request.train_path,
                request.val_path,
                shared_params,
                request.train_args,
                request.to_eval,
                want_params=request.params_path is not None,
            )
            if request.params_path is not None and outcome.params is not None:
                _write_params(request.params_path, outcome.params)
            return Trained(outcome.score, outcome.params is not None)
        finally:
            self._log.end()
            if time.monotonic() - started > _COLLECT_AFTER_S:
                gc.collect()

    def _load(self, model_class: Type[BaseModel], request: Load) -> Reply:
        if self._model is not None:
            destroy(self._model)
            self._model = None
        model = model_class(**request.knobs)
        model.load_parameters(_read_params(request.params_path))
        self._model = model
        return Loaded()

    def _predict(self, request: Predict) -> Reply:
        if self._model is None:
            return Failed(Failure(FailureCode.INTERNAL, "Predictions were asked for before a model was loaded."))
        predictions = self._model.predict(list(request.queries))
        n_queries = len(request.queries)
        vectors = as_vectors(predictions) if isinstance(predictions, (list, np.ndarray)) else None
        if vectors is not None and len(vectors) == n_queries:
            return Predicted(vectors)
        return Predicted(check_predictions(type(self._model), predictions, n_queries))

    def unsendable(self, error: Exception) -> Failed:
        """The answer in place of one with values that have no form on the wire."""
        assert self._class is not None  # without it there is nothing but failures to send
        return Failed(bad_predictions(self._class, f"`predict` returned what cannot be sent: {error}").failure)

    def close(self) -> None:
        """Free what the instance and the class hold; the process ends after this."""
        if self._model is not None:
            destroy(self._model)
        if self._class is not None:
            try:
                self._class.teardown()
            except BaseException as error:  # noqa: BLE001 (a template may raise anything)
                _log.error(format_user_traceback(error))


def _read_params(path: str) -> Params:
    try:
        return load_params(path)
    except (OSError, InvalidParamsError) as error:
        raise TrialFailed(Failure(FailureCode.INTERNAL, f"Parameters could not be read: {error}.")) from error


def _write_params(path: str, params: Params) -> None:
    try:
        save_params(path, params)
    except OSError as error:
        code = FailureCode.DISK_FULL if is_disk_full(error) else FailureCode.INTERNAL
        message = f"The trial's parameters could not be written: {error.strerror}."
        raise TrialFailed(Failure(code, message, DISK_HINT)) from error
