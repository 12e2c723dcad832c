"""Fail on every skipped test whose reason is not on the short list: a skip must never be how a build gets green."""

import sys
import xml.etree.ElementTree as ET

#: Beginnings of the reasons that a test may skip for.
ALLOWED = (
    "needs ../shared/data",  # real data that does not ship with the project
    "needs Python 3.",  # workers are tested on every interpreter that is there
    "needs an index of packages that has ",  # a build of a framework
)


def main(paths: list[str]) -> int:
    refused = []
    for path in paths:
        for case in ET.parse(path).iter("testcase"):
            for skipped in case.iter("skipped"):
                reason = skipped.get("message", "")
                if not reason.startswith(ALLOWED):
                    refused.append(f"{case.get('classname')}::{case.get('name')}: {reason}")
    print("\n".join(refused) if refused else "No skip but those allowed.")
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
