"""What the scripts share: which server, and as whom."""

import argparse

from rafiki.client import Client
from rafiki.config import SUPERADMIN_EMAIL, SUPERADMIN_PASSWORD


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--email", default=SUPERADMIN_EMAIL or "superadmin@rafiki", help="who signs in (%(default)s)")
    parser.add_argument("--password", default=SUPERADMIN_PASSWORD, help="(RAFIKI_SUPERADMIN_PASSWORD)")
    parser.add_argument("--host", help="of the server, or its URL (RAFIKI_ADDR, localhost)")
    parser.add_argument("--admin_port", type=int, help="of the server (ADMIN_EXT_PORT, 3000)")


def sign_in(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> Client:
    if not arguments.password:
        parser.error("give --password, or set RAFIKI_SUPERADMIN_PASSWORD")
    client = Client(arguments.host, arguments.admin_port)
    client.login(arguments.email, arguments.password)
    return client
