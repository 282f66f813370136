"""What a conversation says, message by message, whatever dialect it is written in. Synchronous and pure."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from domain.llm.request import LlmRequest


class Turn(NamedTuple):
    """One message. `who` is `instructions`, `user`, `assistant` or `tool`; `tool` names whose result it is.

    `calls` names the tools the assistant asks for. `more` says that it holds something that is no text, such
    as a picture, which is left out here.
    """

    who: str
    text: str
    tool: str = ""
    calls: tuple[str, ...] = ()
    more: bool = False


class TurnReader(Protocol):
    @abstractmethod
    def turns(self, request: LlmRequest) -> Sequence[Turn] | None:
        """All of them, the oldest first; thoughts are left out. None where not all that was said is there to
        read: it is no chat, is over a megabyte, continues an answer that is kept elsewhere, or is of a shape
        that nobody knows."""
        ...
