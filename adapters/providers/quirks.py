"""What servers of OpenAI's shape do not take: the one place for it.

A server is known by tags of its offerings (`domain.catalog.tags`): the catalogue gives them to the hosts it
knows, and an operator to servers of their own. Nothing here changes what a request means.
"""

from typing import Any, Final

from adapters.providers.family import Address, BodyEdit
from application.ports.wire import OPENAI_CHAT, OPENAI_COMPLETIONS
from domain.catalog.tags import MAX_TOKENS_TAG, NO_STREAM_OPTIONS_TAG

_GENERATE: Final = frozenset({OPENAI_CHAT, OPENAI_COMPLETIONS})


def edit(address: Address) -> BodyEdit | None:
    """The edit that the target's tags ask for; None for servers that take what OpenAI takes."""
    if address.dialect not in _GENERATE:
        return None
    edits = [change for tag, change in _EDITS if tag in address.tags]
    if not edits:
        return None

    def all_of_them(body: dict[str, Any]) -> None:
        for change in edits:
            change(body)

    return all_of_them


def _without_stream_options(body: dict[str, Any]) -> None:
    """Such servers count tokens in the last chunk without being asked, and refuse the question."""
    body.pop("stream_options", None)


def _limit_by_its_old_name(body: dict[str, Any]) -> None:
    """The new name is refused there, or worse, overlooked: then nothing bounds the answer."""
    limit = body.pop("max_completion_tokens", None)
    if limit is not None:
        body["max_tokens"] = limit


_EDITS: Final[tuple[tuple[str, BodyEdit], ...]] = (
    (NO_STREAM_OPTIONS_TAG, _without_stream_options),
    (MAX_TOKENS_TAG, _limit_by_its_old_name),
)
