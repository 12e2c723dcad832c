"""`python -m rafiki.worker JSON`: the program that runs one model template's code for a runner.

It is started by an executor with the fields of `Start` and speaks the protocol of `rafiki.worker.frames` over an
inherited socket. It has no credentials and no other connection, and ends when its connection or its parent does.
"""

from __future__ import annotations

import sys

if __name__ == "__main__":
    from rafiki.worker.program import main

    sys.exit(main(sys.argv[1]))
