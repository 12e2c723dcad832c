"""The serve runner: one inference job, from its rows to its end. Trusted; runs no user code.

`python -m rafiki.runner.serving --job-id ID --epoch N --settings JSON`

It listens at the job's address, loads the members, each in a worker process of its own, and answers until it is told
to stop. The job is `RUNNING` once its first member can answer, and `ERRORED` when none could be loaded.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import resource
import socket
import sys

import uvloop

from rafiki.constants import InferenceJobStatus
from rafiki.control import Connection, Message
from rafiki.entities import Failure, FailureCode, InferenceJob
from rafiki.errors import FencedError
from rafiki.executor import PlatformExecutor
from rafiki.predictor import Ensemble, PredictorApp, PredictorServer, ServingPolicy, listen
from rafiki.runner.context import RunnerArguments, RunnerContext
from rafiki.runner.holdout import score_on_holdout
from rafiki.runner.members import MemberPlans
from rafiki.settings import Settings
from rafiki.store import Store
from rafiki.tasks import get_task

logger = logging.getLogger("rafiki.runner")


class ServeRunner:
    """One inference job. `run` returns when the job has ended, was stopped, or is to go on under another runner."""

    def __init__(self, context: RunnerContext, job: InferenceJob) -> None:
        self._context = context
        self._store = context.store
        self._job = job
        self._executor = PlatformExecutor(context.settings)

    async def run(self) -> None:
        plans = await MemberPlans(self._context, self._job, self._executor).make()
        if not plans.members:
            await self._fail(Failure(FailureCode.NO_MEMBERS, "The train job has no saved trial."))
            return
        listener = await self._listen()
        if listener is None:
            ports = self._context.settings.predictor_ports
            await self._fail(Failure(FailureCode.PORT_TAKEN, f"Every predictor port ({ports}) is taken."))
            return
        task = get_task(plans.task)
        policy = serving_policy(self._context.settings)
        ensemble = Ensemble(task, plans.members, policy)
        title = f"The predictor of {self._job.app} (version {self._job.app_version})"
        server = PredictorServer(PredictorApp(title, task, ensemble, policy, self._job.labels), listener)
        self._context.on_message = lambda message, connection: _report(ensemble, message, connection)
        try:
            await server.start()
            await self._serve(ensemble)
        finally:
            await server.stop()
            await ensemble.close()
            await self._executor.close()

    async def _serve(self, ensemble: Ensemble) -> None:
        opening = asyncio.create_task(ensemble.open())
        stopping = asyncio.create_task(self._context.stopping.wait())
        scoring: asyncio.Task[None] | None = None
        try:
            await asyncio.wait({opening, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not opening.done():
                return
            if not opening.result():
                hint = "Its models' load_parameters and dependencies are where to look."
                await self._fail(
                    Failure(FailureCode.NO_MEMBERS, f"No member could be loaded. {ensemble.failures()}", hint)
                )
                return
            await self._context.db(self._store.inference_jobs.mark_running, self._job.id, self._context.epoch)
            logger.info("job %s can answer at %s", self._job.id, self._job.predictor_host)
            tune_garbage_collection()
            scoring = asyncio.create_task(self._score(ensemble))
            await stopping
        finally:
            if scoring is not None:
                scoring.cancel()
                await asyncio.wait({scoring})  # also for the process that it may have
            opening.cancel()
            stopping.cancel()

    async def _score(self, ensemble: Ensemble) -> None:
        """Once no more members can be hoped for, for the score is the whole ensemble's."""
        try:
            await ensemble.settled()
            await score_on_holdout(self._context, self._job, ensemble.predict)
        except FencedError:  # another runner has the job, or it has ended
            self._context.stopping.set()
        except Exception:  # queries are answered whatever becomes of the score
            logger.exception("job %s could not be scored", self._job.id)

    async def _fail(self, failure: Failure) -> None:
        logger.error("job %s ends: %s", self._job.id, failure.message)
        status = InferenceJobStatus.ERRORED
        await self._context.db(self._store.inference_jobs.finish, self._job.id, self._context.epoch, status, failure)

    async def _listen(self) -> socket.socket | None:
        """At the job's own port; where somebody else holds that, at the next in the range that nobody has."""
        host = self._context.settings.host
        try:
            return listen(host, self._job.predictor_port)
        except OSError as error:
            logger.warning("port %d cannot be had: %s", self._job.predictor_port, error)
        public_host = self._job.predictor_host.rpartition(":")[0]
        for port in self._context.settings.predictor_port_range:
            try:
                listener = listen(host, port)
            except OSError:
                continue
            jobs = self._store.inference_jobs
            if await self._context.db(jobs.set_port, self._job.id, self._context.epoch, port, public_host):
                return listener
            listener.close()  # it is another job's, whose runner is not there at the moment
        return None


def serving_policy(settings: Settings) -> ServingPolicy:
    return ServingPolicy(
        time_limit_s=settings.predict_time_limit_s,
        load_time_limit_s=settings.member_load_time_limit_s,
        max_body_bytes=settings.max_predict_body_bytes,
        max_pending_body_bytes=8 * settings.max_predict_body_bytes,
    )


def _report(ensemble: Ensemble, message: Message, connection: Connection) -> None:
    if message.get("type") == "status":
        connection.send({"type": "status", "members": [member.describe() for member in ensemble.members]})


def tune_garbage_collection() -> None:
    """Nested lists of a query trigger collections that would walk everything alive: keep them away from what stays,
    and rare. (3.4 times as many requests per second where queries are lists, a sixth of the 99th percentile.)
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def _raise_file_limit() -> None:
    """A connection is a file; the soft limit is made for programs that have few."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def run_job(arguments: RunnerArguments) -> None:
    store = Store.open(arguments.settings)
    context = RunnerContext(arguments, store)
    try:
        await context.db(store.jobs.check_epoch, arguments.job_id, arguments.epoch)
        job = await context.db(store.inference_jobs.get, arguments.job_id)
        if job is None:
            return
        await context.start()
        await ServeRunner(context, job).run()
    except FencedError:
        logger.info("job %s has another runner or has ended: this one exits", arguments.job_id)
    finally:
        await context.close()


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    _raise_file_limit()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run_job(RunnerArguments.parse()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
