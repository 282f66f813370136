"""Reading the end of a conversation out of a caller's body, for those who guard agents.

Synchronous and pure. Asked only where a guard is set, and cheap for bodies that show no tool calls.
"""

from abc import abstractmethod
from typing import Protocol

from domain.guards.conversation_tail import ConversationTail
from domain.llm.request import LlmRequest


class ConversationTails(Protocol):
    @abstractmethod
    def tail(
        self, request: LlmRequest, *, calls_max: int, turns_max: int, skipped: frozenset[str] = frozenset()
    ) -> ConversationTail | None:
        """At most so many calls and turns from the end of the body; tools in `skipped` are left out.

        None: the body is of a kind without conversations, or shows no tool call and `turns_max` is 0. Never
        raises for a body that was read.
        """
        ...
