"""Who may do what: one table, enforced in one place.

Every route of the API has a rule in `RULES`; a route without one cannot be made. Before a route runs, and before a
byte of its body is read, `GuardedRoute` checks the token, the caller's type, and, where the address names something
(a model, a trial, a job), that it is there and the caller may know of it.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, cast
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, Depends, Request
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from rafiki.constants import UserType
from rafiki.entities import User
from rafiki.errors import UnauthorizedError
from rafiki.server import subjects
from rafiki.server.auth import bearer_token, hash_token
from rafiki.server.bodies import with_json_body
from rafiki.server.context import Context, context_of
from rafiki.server.openapi import ERROR_RESPONSES

ADMINS = frozenset({UserType.SUPERADMIN, UserType.ADMIN})
DEVELOPERS = ADMINS | {UserType.MODEL_DEVELOPER}
USERS = DEVELOPERS | {UserType.APP_DEVELOPER}

Subject = Callable[[Context, User, Request], Any]


@dataclass(frozen=True)
class Rule:
    """`who` may call (`None`: everybody, without a token), and what of theirs the address names."""

    who: frozenset[str] | None
    subject: Subject | None = None


RULES: Mapping[tuple[str, str], Rule] = {
    ("GET", "/"): Rule(None),
    ("GET", "/openapi.json"): Rule(None),
    ("POST", "/tokens"): Rule(None),
    ("POST", "/tokens/long_lived"): Rule(USERS),
    ("GET", "/tokens"): Rule(USERS),
    ("DELETE", "/tokens/{token_id}"): Rule(USERS),  # one of one's own
    ("GET", "/users/me"): Rule(USERS),
    ("PUT", "/users/me/password"): Rule(USERS),
    ("PUT", "/users/password"): Rule(ADMINS),  # and `check_may_reset_password`
    ("GET", "/users/{user_id}/usage"): Rule(USERS, subjects.own_user),
    ("POST", "/users"): Rule(ADMINS),  # and `check_may_create`
    ("GET", "/users"): Rule(ADMINS),
    ("DELETE", "/users"): Rule(ADMINS),  # and `check_may_ban`
    ("POST", "/datasets"): Rule(USERS),
    ("GET", "/datasets"): Rule(USERS),
    ("GET", "/datasets/{dataset_id}"): Rule(USERS, subjects.own_dataset),
    ("GET", "/datasets/{dataset_id}/preview"): Rule(USERS, subjects.own_dataset),
    ("PUT", "/datasets/{dataset_id}/labels"): Rule(USERS, subjects.own_dataset),
    ("DELETE", "/datasets/{dataset_id}"): Rule(USERS, subjects.own_dataset),
    ("POST", "/models"): Rule(DEVELOPERS),
    ("GET", "/models"): Rule(DEVELOPERS),
    ("GET", "/models/available"): Rule(USERS),
    ("GET", "/models/{model_id}"): Rule(USERS, subjects.own_model),
    ("GET", "/models/{model_id}/model_file"): Rule(USERS, subjects.own_model),
    ("DELETE", "/models/{model_id}"): Rule(USERS, subjects.own_model),
    ("GET", "/environments"): Rule(ADMINS),
    ("DELETE", "/environments/{environment_id}"): Rule(ADMINS),
    ("POST", "/train_jobs"): Rule(USERS),
    ("GET", "/train_jobs"): Rule(USERS, subjects.user_id_of_list),
    ("GET", "/train_jobs/{app}"): Rule(USERS),
    ("GET", "/train_jobs/{app}/{version}"): Rule(USERS, subjects.own_train_job),
    ("POST", "/train_jobs/{app}/{version}/stop"): Rule(USERS, subjects.own_train_job),
    ("DELETE", "/train_jobs/{app}/{version}"): Rule(USERS, subjects.train_job_of_anyone),
    ("GET", "/train_jobs/{app}/{version}/trials"): Rule(USERS, subjects.own_train_job_if_any),
    ("GET", "/trials/{trial_id}"): Rule(USERS, subjects.own_trial),
    ("GET", "/trials/{trial_id}/logs"): Rule(USERS, subjects.own_trial),
    ("GET", "/trials/{trial_id}/parameters"): Rule(USERS, subjects.own_trial),
    ("POST", "/inference_jobs"): Rule(USERS),
    ("GET", "/inference_jobs"): Rule(USERS, subjects.user_id_of_list),
    ("GET", "/inference_jobs/{app}"): Rule(USERS),
    ("GET", "/inference_jobs/{app}/{version}"): Rule(USERS, subjects.own_live_inference_job),
    ("POST", "/inference_jobs/{app}/{version}/stop"): Rule(USERS, subjects.own_live_inference_job),
    ("POST", "/actions/stop_all_jobs"): Rule(frozenset({UserType.SUPERADMIN})),
}


def check_may_create(caller: User, user_type: str) -> None:
    """An admin is made by the superadmin alone, and a superadmin by nobody."""
    if user_type == UserType.SUPERADMIN:
        raise UnauthorizedError("there is one superadmin, and no other can be created", status=403)
    if user_type == UserType.ADMIN and caller.user_type != UserType.SUPERADMIN:
        raise UnauthorizedError("only the superadmin may create an admin", status=403)


def check_may_ban(caller: User, user: User) -> None:
    """An admin is banned by the superadmin alone, the superadmin by nobody, and nobody bans himself."""
    if user.id == caller.id:
        raise UnauthorizedError("nobody may ban himself", status=403)
    if user.user_type == UserType.SUPERADMIN:
        raise UnauthorizedError("the superadmin cannot be banned", status=403)
    if user.user_type == UserType.ADMIN and caller.user_type != UserType.SUPERADMIN:
        raise UnauthorizedError("only the superadmin may ban an admin", status=403)


def check_may_reset_password(caller: User, user: User) -> None:
    """An admin's password is set by the superadmin alone, and one's own by whoever knows it."""
    if user.id == caller.id:
        hint = "change your own with PUT /users/me/password, which takes the current one too"
        raise UnauthorizedError("nobody may reset his own password", hint, status=403)
    if user.user_type in ADMINS and caller.user_type != UserType.SUPERADMIN:
        raise UnauthorizedError("only the superadmin may reset the password of an admin", status=403)


def check_may_limit(caller: User) -> None:
    """What a trial may use is the admins' to say: it is everybody's machine."""
    if caller.user_type not in ADMINS:
        hint = "leave limits out, or ask an admin to start the job"
        raise UnauthorizedError("only admins may set the limits of a train job", hint, status=403)


class GuardedRoute(APIRoute):
    """A route that runs only for whom its rule lets in."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        (method,) = options["methods"]
        self.rule = RULES[method, path]
        if self.rule.who is not None:
            allowed = ", ".join(sorted(self.rule.who))
            extra = {"security": [{"token": []}], "x-user-types": sorted(self.rule.who)}
            options["openapi_extra"] = {**extra, **(options.get("openapi_extra") or {})}
            options["description"] = f"{(endpoint.__doc__ or '').strip()}\n\nFor: {allowed}."
        super().__init__(path, endpoint, **options)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        run_route = super().get_route_handler()

        async def run_guarded(request: Request) -> Response:
            _drop_empty_parameters(request)
            if self.rule.who is not None:
                await run_in_threadpool(_admit, self.rule, request)
            return await run_route(await with_json_body(request) if self.body_field else request)

        return run_guarded


def _drop_empty_parameters(request: Request) -> None:
    """An empty query parameter counts as an absent one."""
    given = parse_qsl(request.scope["query_string"].decode("latin-1"))  # leaves out empty ones
    request.scope["query_string"] = urlencode(given).encode()


def _admit(rule: Rule, request: Request) -> None:
    """Let the caller in, and leave who it is and what the address names on the request."""
    context = context_of(request)
    caller = _authenticate(context, request)
    if rule.who is not None and caller.user_type not in rule.who:
        raise UnauthorizedError(f"a user of type {caller.user_type} may not do this", status=403)
    request.state.caller = caller
    if rule.subject is not None:
        request.state.subject = rule.subject(context, caller, request)


def _authenticate(context: Context, request: Request) -> User:
    token = bearer_token(request.headers.get("authorization"))
    if token is None:
        raise UnauthorizedError("this needs a token", "sign in with POST /tokens, send `Authorization: Bearer TOKEN`")
    user = context.store.users.user_of_token(hash_token(token), datetime.now(UTC))
    if user is None:
        raise UnauthorizedError("the token is unknown, has expired, or its user is banned", "sign in again")
    return user


def guarded_router(tag: str) -> APIRouter:
    """A router whose routes all stand in `RULES`."""
    return APIRouter(
        route_class=GuardedRoute,
        tags=[tag],
        responses=ERROR_RESPONSES,
        redirect_slashes=False,
        strict_content_type=False,
    )


# Not plain functions, which FastAPI would run in threads.
async def _caller_of(request: Request) -> User:
    return cast(User, request.state.caller)


async def _subject_of(request: Request) -> Any:
    return request.state.subject


#: Parameter of a route: the user who calls.
Caller = Annotated[User, Depends(_caller_of)]
#: Marks the parameter of a route that takes what its rule's `subject` found.
Named = Depends(_subject_of)
