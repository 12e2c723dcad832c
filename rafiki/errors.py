"""Every failure that a user can meet: its name, its HTTP status, and what to do about it.

The class name is the error's name in HTTP answers (`{"error": "<Name>", "message": "..."}`), in the client's
`RafikiConnectionError`, and in the command line's output. A message says what was wrong and where; a hint says
what right looks like.
"""

from typing import Any, Dict, Optional


class RafikiError(Exception):
    """Base of all. `status` is the HTTP status that the API answers with; an instance may override its class's."""

    status = 500
    hint = ""

    def __init__(self, message: str, hint: Optional[str] = None, status: Optional[int] = None) -> None:
        super().__init__(message)
        self.message = message
        if hint is not None:
            self.hint = hint
        if status is not None:
            self.status = status

    @property
    def name(self) -> str:
        return type(self).__name__

    def to_json(self) -> Dict[str, Any]:
        answer = {"error": self.name, "message": self.message}
        if self.hint:
            answer["hint"] = self.hint
        return answer


# --- requests -----------------------------------------------------------------------------------------------------


class InvalidRequestError(RafikiError):
    """A request that is malformed in a way that no more specific error names."""

    status = 400


class NotFoundError(RafikiError):
    """There is nothing at this address."""

    status = 404


class MethodNotAllowedError(RafikiError):
    """The address takes other methods than this one."""

    status = 405


class PayloadTooLargeError(RafikiError):
    """An upload or a body is larger than the server takes; says how much that is."""

    status = 413


class UnauthorizedError(RafikiError):
    """401: sign in (again). 403: signed in, but not allowed to."""

    status = 401


class InternalServerError(RafikiError):
    """A fault of the server; its log says more, under the id that the hint names."""

    status = 500


class ServiceUnavailableError(RafikiError):
    """Nobody can answer now: no member of an ensemble, or too much is waiting. Try again later."""

    status = 503


class InvalidSettingsError(RafikiError):
    """A setting of the server that cannot be; names it and what it was."""

    status = 400
    hint = "settings come from flags, from RAFIKI_<NAME> in the environment, or from rafiki.toml"


# --- users --------------------------------------------------------------------------------------------------------


class InvalidUserError(RafikiError):
    """No user has this email and password, or there can be no such user."""

    status = 400


class UserExistsError(RafikiError):
    """A user of this email exists."""

    status = 409


class UserAlreadyBannedError(RafikiError):
    """The user is banned already."""

    status = 409


# --- catalog ------------------------------------------------------------------------------------------------------


class InvalidDatasetError(RafikiError):
    """A dataset that is not there, cannot be read, or is of another task; says which and why."""

    status = 400


class DatasetUsedError(RafikiError):
    """A dataset that cannot be deleted; the message names the train jobs that use it."""

    status = 409


class InvalidModelError(RafikiError):
    """A model that is not there, cannot be, or is of another task; says which and why."""

    status = 400


class DuplicateModelNameError(RafikiError):
    """You have a model of this name; a new version of it says so."""

    status = 409


class ModelUsedError(RafikiError):
    """A model that cannot be deleted; the message names the train jobs that use it."""

    status = 409


class EnvironmentUsedError(RafikiError):
    """An environment that cannot be removed: a job or a check uses it at the moment."""

    status = 409
    hint = "stop the jobs that use it, or wait until they have ended"


# --- jobs ---------------------------------------------------------------------------------------------------------


class InvalidTrainJobError(RafikiError):
    """A train job that is not there or cannot be: its budget is wrong, or one already runs for the app."""

    status = 400


class TrainJobUsedError(RafikiError):
    """A train job that cannot be deleted; the message names what still needs it."""

    status = 409


class InvalidTokenError(RafikiError):
    """A long-lived token that there is not."""

    status = 404


class NoModelsForTrainJobError(RafikiError):
    """A train job without models."""

    status = 400


class TrainJobFailedError(RafikiError):
    """A train job that was waited for ended `ERRORED`; the message says why."""

    status = 409


class InsufficientResourcesError(RafikiError):
    """More GPUs than the platform has."""

    status = 409


class InvalidTrialError(RafikiError):
    """A trial that is not there, or has no saved parameters."""

    status = 404


class RunningInferenceJobExistsError(RafikiError):
    """The version of the app is deployed already."""

    status = 409


class InvalidRunningInferenceJobError(RafikiError):
    """The app, or this version of it, is not deployed."""

    status = 404


class FencedError(RafikiError):
    """A runner wrote with an epoch that is no longer its job's current one: it must exit."""

    status = 409


class NewerDatabaseError(RafikiError):
    """The data folder belongs to a newer version of Rafiki."""


# --- what users' files and code do ----------------------------------------------------------------------------------


class InvalidModelClassError(RafikiError):
    """A model template that breaks a rule. The message is a sentence that says where, what is wrong and what right
    looks like; `code` (a `FailureCode`) is the kind of rule."""

    status = 400

    def __init__(self, message: str, hint: Optional[str] = None, code: str = "INVALID_MODEL_CLASS") -> None:
        super().__init__(message, hint)
        self.code = code


class InvalidDatasetFormatException(RafikiError):  # noqa: N818 (the contract's name)
    """A dataset file that is not in its task's format: which file, row and column, and what was expected."""

    status = 400


class InvalidParamsError(RafikiError):
    """Trained parameters that are not `Params`: names the key and the type."""

    status = 400


class InvalidQueryError(RafikiError):
    """A query that is not what its task says; says where."""

    status = 400


class InvalidPredictionError(RafikiError):
    """A template's prediction that is not what its task says."""

    status = 500


class EnvironmentBuildError(RafikiError):
    """A model's dependencies cannot be had; names the dependency and the reason."""

    status = 400
