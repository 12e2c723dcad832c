"""What the scripts share: which server, as whom, and how they end where something is wrong."""

import argparse
import sys
from contextlib import contextmanager

from rafiki.client import Client, RafikiConnectionError
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


@contextmanager
def one_line_errors():
    """Within, a refusal of the server and a file that is not there end the script with a sentence."""
    try:
        yield
    except (RafikiConnectionError, FileNotFoundError) as error:
        sys.exit(f"Error: {error}")


def best_trials_of(client, job):
    """The best trials of a train job that has stopped, printed; without any, the script ends, saying why."""
    trials = client.get_best_trials_of_train_job(job["app"], job["app_version"])
    if not trials:
        error = job["error"] or {"message": "the budget was used up"}
        sys.exit(f"Error: the train job is {job['status']} without a trial to deploy: {error['message']}")
    for trial in trials:
        print(f"  {trial['score']:.4f} {trial['model_name']} with {trial['proposal']['knobs']}")
    return trials
