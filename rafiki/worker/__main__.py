"""`python -m rafiki.worker JSON`: the program that runs one model template's code for a runner.

It is started by an executor with the fields of `Start` and speaks the protocol of `rafiki.worker.frames` over a
socket. It has no credentials and no other connection, and ends when its connection or its parent does.
"""

from __future__ import annotations

import json
import sys

from rafiki.worker.keeper import die_with_parent, fork_under_keeper


def _main(start_json: str) -> int:
    start = json.loads(start_json)
    if start["is_confined"] and not start.get("is_container"):
        die_with_parent(start["parent_pid"])
    else:
        fork_under_keeper(start["parent_pid"])  # before anything else is loaded: the keeper needs none of it
    from rafiki.worker.program import main

    return main(start_json)


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1]))
