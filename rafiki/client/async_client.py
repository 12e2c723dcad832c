"""`AsyncClient`: the methods of `Client`, as coroutines."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from functools import update_wrapper
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from rafiki.client.client import Client
from rafiki.client.polling import Polling
from rafiki.client.transport import AsyncConnection

P = ParamSpec("P")
T = TypeVar("T")


def _awaited(
    method: Callable[Concatenate[Client, P], T],
) -> Callable[Concatenate[AsyncClient, P], Coroutine[Any, Any, T]]:
    """The same method, whose one `_run` is here a coroutine."""

    async def call(self: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await cast(Awaitable[T], method(cast(Client, self), *args, **kwargs))

    update_wrapper(call, method)
    return call


async def _sleep(duration_s: float) -> None:
    import asyncio  # here, so that importing the client takes no 0.1 s

    await asyncio.sleep(duration_s)


class AsyncClient(AsyncConnection):
    """A client of one Rafiki server for programs that run in an event loop.

    It has the methods of `Client`, with the same parameters, answers and errors, each to be awaited. It belongs to
    the event loop in which it is first used; `async with` closes its connections at the end.
    """

    def __init__(
        self,
        admin_host: str | None = None,
        admin_port: int | str | None = None,
        token: str | None = None,
        polling: Polling | None = None,
    ) -> None:
        super().__init__(admin_host, admin_port, token, polling or Polling(sleep=_sleep))

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *error: Any) -> None:
        await self.close()

    is_up = _awaited(Client.is_up)

    get_environments = _awaited(Client.get_environments)
    delete_environment = _awaited(Client.delete_environment)

    login = _awaited(Client.login)
    get_current_user = _awaited(Client.get_current_user)
    logout = _awaited(Client.logout)
    create_user = _awaited(Client.create_user)
    get_users = _awaited(Client.get_users)
    ban_user = _awaited(Client.ban_user)
    change_password = _awaited(Client.change_password)
    reset_password = _awaited(Client.reset_password)
    get_usage = _awaited(Client.get_usage)
    create_token = _awaited(Client.create_token)
    get_tokens = _awaited(Client.get_tokens)
    revoke_token = _awaited(Client.revoke_token)

    create_dataset = _awaited(Client.create_dataset)
    get_datasets = _awaited(Client.get_datasets)
    get_dataset = _awaited(Client.get_dataset)
    get_dataset_preview = _awaited(Client.get_dataset_preview)
    set_dataset_labels = _awaited(Client.set_dataset_labels)
    delete_dataset = _awaited(Client.delete_dataset)
    wait_until_dataset_is_checked = _awaited(Client.wait_until_dataset_is_checked)
    create_model = _awaited(Client.create_model)
    get_model = _awaited(Client.get_model)
    download_model_file = _awaited(Client.download_model_file)
    get_models = _awaited(Client.get_models)
    get_available_models = _awaited(Client.get_available_models)
    delete_model = _awaited(Client.delete_model)
    wait_until_model_is_checked = _awaited(Client.wait_until_model_is_checked)

    create_train_job = _awaited(Client.create_train_job)
    get_train_jobs_by_user = _awaited(Client.get_train_jobs_by_user)
    get_train_jobs_of_app = _awaited(Client.get_train_jobs_of_app)
    get_train_job = _awaited(Client.get_train_job)
    stop_train_job = _awaited(Client.stop_train_job)
    delete_train_job = _awaited(Client.delete_train_job)
    wait_until_train_job_has_stopped = _awaited(Client.wait_until_train_job_has_stopped)

    get_trial = _awaited(Client.get_trial)
    get_best_trials_of_train_job = _awaited(Client.get_best_trials_of_train_job)
    get_trials_of_train_job = _awaited(Client.get_trials_of_train_job)
    get_trial_logs = _awaited(Client.get_trial_logs)
    get_trial_parameters = _awaited(Client.get_trial_parameters)
    download_trial_parameters = _awaited(Client.download_trial_parameters)
    load_trial_model = _awaited(Client.load_trial_model)

    create_inference_job = _awaited(Client.create_inference_job)
    get_inference_jobs_by_user = _awaited(Client.get_inference_jobs_by_user)
    get_inference_jobs_of_app = _awaited(Client.get_inference_jobs_of_app)
    get_running_inference_job = _awaited(Client.get_running_inference_job)
    stop_inference_job = _awaited(Client.stop_inference_job)
    stop_all_jobs = _awaited(Client.stop_all_jobs)
    wait_until_inference_job_is_running = _awaited(Client.wait_until_inference_job_is_running)
    predict = _awaited(Client.predict)
    explain = _awaited(Client.explain)
