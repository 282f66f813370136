"""Telling a server that lacks an endpoint from one that lacks the model or the thing asked for."""

from typing import Final

from domain.llm.failures import Failure

_STATUSES: Final = frozenset({404, 405, 501})
_SAID_OF_A_PATH: Final = (
    "invalid url",
    "cannot post",
    "page not found",
    "method not allowed",
    "no route",
    "unknown url",
    "unknown request url",
    "unrecognized request url",
    "not implemented",
)
_SAID_OF_NOTHING: Final = frozenset({"", "not found", "notfound"})
"""The whole message of frameworks that know no such path."""


def is_missing_path(failure: Failure) -> bool:
    """Whether an error answer says that the server has no such path at all."""
    if failure.status not in _STATUSES or failure.code == "model_not_found":
        return False
    message = failure.message.lower().strip(" .!")
    return (
        failure.status != 404
        or message in _SAID_OF_NOTHING
        or message.endswith("without an explanation")
        or any(words in message for words in _SAID_OF_A_PATH)
    )
