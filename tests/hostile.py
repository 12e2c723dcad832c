"""Hostile and careless templates, one per way to go wrong, and how each must end."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

TEMPLATES = Path(__file__).parent / "templates" / "hostile"

#: Ways that the check of a model sees, and its error's code.
SEEN_BY_THE_CHECK = {
    "does_not_parse": "IMPORT_ERROR",
    "no_knob_config": "INVALID_MODEL_CLASS",
    "ends_at_import": "EXITED",
    "lies_about_knobs": "PROTOCOL",
}

#: Ways that a trial fails, with or without a sandbox: the code, and a part of the message.
FAIL = {
    "ends_its_process": ("EXITED", "exit code 7"),
    "crashes": ("KILLED", "SIGSEGV"),
    "starts_threads": ("PROCESS_LIMIT", ""),
    "fills_memory": ("OUT_OF_MEMORY", "it may use"),
    "fills_memory_by_children": ("OUT_OF_MEMORY", "it may use"),
    "asks_for_too_much_memory": ("OUT_OF_MEMORY", "Way.py, line"),
    "fills_the_disk_by_one_file": ("DISK_FULL", "File too large"),
    "fills_the_disk_by_many_files": ("DISK_FULL", "they may take"),
    # Root reads what nobody may.
    "hides_its_files": ("DISK_FULL", "they may take" if os.getuid() == 0 else "folders that cannot be read"),
    "fills_the_disk_unseen": ("DISK_FULL", "they may take"),
    "fills_the_disk_by_parameters": ("DISK_FULL", "could not be written"),
    "fills_logs": ("OUTPUT_LIMIT", ""),
    "fills_its_output": ("OUTPUT_LIMIT", ""),
    "scores_nan": ("BAD_SCORE", "nan"),
    "scores_text": ("BAD_SCORE", "'0.9'"),
    "dumps_objects": ("BAD_PARAMETERS", "model"),
    "gives_a_link_for_parameters": ("PROTOCOL", "no regular file"),
    "gives_a_pipe_for_parameters": ("PROTOCOL", "no regular file"),
    "forges_a_reason": ("PROTOCOL", "BUDGET_OVER"),
    "sends_garbage": ("PROTOCOL", ""),
    "sends_too_large_a_frame": ("PROTOCOL", "announces 4294967295 bytes"),
    "sends_half_a_frame": ("PROTOCOL", "closed its connection"),
    "floods_its_runner": ("OUTPUT_LIMIT", ""),
}

#: Ways that take as long as they are let.
FAIL_SLOWLY = {
    "never_returns": ("TIME_LIMIT", ""),
    "burns_cpu": ("CPU_LIMIT", ""),
}

#: Ways that only a sandbox withstands, or tells.
FAIL_IN_SANDBOX = {
    "forks_a_bomb": ("PROCESS_LIMIT", ""),
    "fills_shared_memory": ("DISK_FULL", "Way.py, line"),
    "opens_sockets": ("NETWORK_BLOCKED", "Way.py, line"),
    "asks_for_a_name": ("NETWORK_BLOCKED", "Way.py, line"),
}

#: Ways that do no harm, and so the trial is as any other.
COMPLETE = ("prints_megabytes", "leaves_daemons", "patches_numpy")
COMPLETE_IN_SANDBOX = ("looks_around", "traces_others", "kills_its_parent")

#: Ways to answer that are seen when it is served.
ANSWER_BADLY = {
    "predicts_too_few": "0 predictions for 1 queries",
    "predicts_megabytes": "at most 16777216 can be sent",
}

LIMITS: dict[str, Any] = {
    "trial_time_limit_s": 30,
    "trial_cpu_limit_s": 4,
    "model_check_time_limit_s": 60,
    "worker_memory_limit_bytes": 500 * 2**20,
    "worker_n_processes": 100,
    "worker_scratch_bytes": 200 * 2**20,
    "worker_output_bytes": 20 * 2**20,
}


def source_of(way: str) -> bytes:
    return (TEMPLATES / "base.py").read_bytes() + b"\n\n" + (TEMPLATES / f"{way}.py").read_bytes()
