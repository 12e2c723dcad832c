"""Creates users, one of each kind or those of a file, on a running server (`rafiki serve`).

    RAFIKI_SUPERADMIN_PASSWORD=... python examples/scripts/seed_users.py
    RAFIKI_SUPERADMIN_PASSWORD=... python examples/scripts/seed_users.py --csv users.csv

The file has the columns `email`, `user_type` (ADMIN, MODEL_DEVELOPER, APP_DEVELOPER) and, if you like, `password`.
Whoever has none gets one that is made up and printed, once. Users that exist stay as they are.
"""

import argparse
import csv
import secrets
import sys
from pathlib import Path

from rafiki.constants import UserType

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # this script may be run from anywhere
from examples.scripts.signing_in import add_arguments, one_line_errors, sign_in

USERS = (
    {"email": "admin@rafiki", "user_type": UserType.ADMIN},
    {"email": "model_developer@rafiki", "user_type": UserType.MODEL_DEVELOPER},
    {"email": "app_developer@rafiki", "user_type": UserType.APP_DEVELOPER},
)


def seed_users(client, users=USERS):
    """Creates those of `users` (dicts with `email`, `user_type`, maybe `password`) that do not exist; their answers."""
    existing = {user["email"].lower() for user in client.get_users()}
    created = []
    for user in users:
        if user["email"].lower() in existing:
            print(f"{user['email']} exists")
            continue
        password = user.get("password") or secrets.token_urlsafe(12)
        created.append(client.create_user(user["email"], password, user["user_type"]))
        existing.add(user["email"].lower())
        shown = "" if user.get("password") else f", password {password}"
        print(f"{user['email']} created, {user['user_type']}{shown}")
    return created


def read_users(path):
    with open(path, newline="", encoding="utf-8-sig") as file:
        users = list(csv.DictReader(file))
    for line_no, user in enumerate(users, start=2):
        if not user.get("email") or not user.get("user_type"):
            sys.exit(f"Error: {path}, row {line_no}: expected the columns email and user_type, and maybe password")
    return users


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    parser.add_argument("--csv", help="the file with the users (default: one of each kind)")
    given = parser.parse_args()
    wanted = read_users(given.csv) if given.csv else USERS
    with one_line_errors():
        seed_users(sign_in(parser, given), wanted)
