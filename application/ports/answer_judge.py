"""Whether two answers to similar questions are worth the same. Runs beside requests, never in their way."""

from abc import abstractmethod
from typing import NamedTuple, Protocol


class Comparison(NamedTuple):
    """A fresh answer to `question`, and the kept answer to `kept_question` that might have been served."""

    tenant_id: str
    route: str
    question: str
    kept_question: str
    fresh: str
    kept: str


class AnswerJudge(Protocol):
    @abstractmethod
    async def same(self, compared: Comparison) -> bool | None:
        """Whether the kept answer would have been right. None: cannot say. Raises StoreUnavailable."""
        ...
