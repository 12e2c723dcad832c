"""A trial's log as the runner gets it: all of it, in order, and nothing of another trial."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

from rafiki.executor import Worker
from rafiki.model import LoggerUtils
from rafiki.worker.frames import Log, Train

Start = Callable[..., Awaitable[Worker]]


def train(trial_id: str, **train_args: object) -> Train:
    return Train(trial_id, {"x": 0.5}, "/train", "/val", train_args=train_args)


class Logs:
    def __init__(self, worker: Worker) -> None:
        self.lines: dict[str, list[str]] = {}
        self.n_dropped = 0
        worker.on_log = self._add

    def _add(self, log: Log) -> None:
        self.lines.setdefault(log.trial_id, []).extend(log.lines)
        self.n_dropped += log.n_dropped

    def messages(self, trial_id: str) -> list[str]:
        messages, _, _ = LoggerUtils.parse_logs(self.lines.get(trial_id, []))
        return [entry["message"] for entry in messages]


async def test_everything_that_a_trial_says_is_in_its_log_before_its_answer(start: Start) -> None:
    worker = await start(
        train="""\
logger.define_plot("Loss", ["loss"], x_axis="epoch")
logger.log("from the logger", loss=np.float32(0.5), epoch=1)
print("printed", 1); print("to stderr", file=sys.stderr)
logging.info("a record"); logging.getLogger("lib").warning("of a\\nlibrary"); logging.debug("too fine")
print("bad \\udcff name", end="")"""
    )
    logs = Logs(worker)
    await worker.call(train("t1"))
    assert logs.messages("t1") == [
        "from the logger",
        "printed 1",
        "to stderr",
        "a record",
        "of a\nlibrary",
        "bad \\udcff name",
    ]
    _, metrics, plots = LoggerUtils.parse_logs(logs.lines["t1"])
    assert [(entry["loss"], entry["epoch"]) for entry in metrics] == [(0.5, 1)]
    assert plots == [{"title": "Loss", "metrics": ["loss"], "x_axis": "epoch"}]


async def test_no_line_of_one_trial_is_in_the_log_of_another(start: Start) -> None:
    """Threads, timers and forks that a trial leaves behind go on logging; the next trials must not get it."""
    worker = await start(
        top="""\
go_on, done = threading.Event(), threading.Event()
def shout(what):
    print(what, end=" "); print("printed"); logging.info(what); logger.log(what, loss=1.0)
def stray():
    go_on.wait()
    shout("stray")
    second = threading.Timer(0, shout, ["started by a stray"])
    second.start(); second.join()
    done.set()
""",
        train="""\
if train_args.get("leave"):
    own = threading.Thread(target=shout, args=("thread of this trial",)); own.start(); own.join()
    threading.Thread(target=stray, daemon=True).start()
else:
    go_on.set(); done.wait()
    if os.fork() == 0:
        shout("forked"); os._exit(0)
    os.wait()
    print("second trial")""",
    )
    logs = Logs(worker)
    await worker.call(train("t1", leave=True))
    await worker.call(train("t2"))
    own = "thread of this trial"
    assert logs.messages("t1") == [f"{own} printed", own, own]
    assert logs.messages("t2") == ["second trial"]
    assert set(logs.lines) == {"t1", "t2"}


async def test_a_flood_of_lines_never_blocks_training_and_what_is_lost_is_counted(start: Start) -> None:
    worker = await start(train="for n in range(60_000): logger.log(loss=n)")
    logs = Logs(worker)
    await worker.call(train("t1"))
    lines = [json.loads(line)["metrics"]["loss"] for line in logs.lines["t1"]]
    assert len(lines) + logs.n_dropped == 60_000
    assert lines == sorted(lines)
    assert lines[-1] == 59_999


async def test_a_huge_line_is_cut(start: Start) -> None:
    worker = await start(train="print('x' * 5_000_000); logger.log('y' * 5_000_000); print('after')")
    logs = Logs(worker)
    await worker.call(train("t1"))
    assert logs.messages("t1")[-1] == "after"
    assert sum(map(len, logs.lines["t1"])) < 200_000


async def test_libraries_that_write_past_python_are_kept_as_last_output(start: Start) -> None:
    worker = await start(train="os.write(1, b'native\\n' * 20_000); os.write(2, b'the end\\n')")
    await worker.call(train("t1"))
    await worker.stop()
    output = (await worker.exited).output
    assert output.endswith("native\nthe end\n")
    assert len(output) == 64 << 10
