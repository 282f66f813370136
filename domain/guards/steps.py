"""Too many steps in a row without a word of the user: an agent that nobody watches any more."""

from typing import Final

from domain.guards.conversation_tail import ConversationTail
from domain.guards.forgiven import NOTHING_FORGIVEN, Forgiven

STEPS_MAX: Final = 10_000
STEPS_MARK: Final = "steps"


def alone_too_long(limit: int, tail: ConversationTail, forgiven: Forgiven = NOTHING_FORGIVEN) -> bool:
    """Whether the model took `limit` turns or more since its user last said something."""
    since = forgiven.since(STEPS_MARK, tail.messages)
    return sum(1 for place in tail.turns if place >= since) >= limit
