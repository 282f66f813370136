"""Whether two answers to similar questions are worth the same. Runs beside requests, never in their way."""

from abc import abstractmethod
from typing import NamedTuple, Protocol

from domain.routing.requirements import Requirements
from domain.tenancy.principal import Principal


class Comparison(NamedTuple):
    """A fresh answer to `question`, and the kept answer to `kept_question` that might have been served.

    `asker` is who asked, with what it demands of whoever sees its texts, and `usd_per_day` what its route may
    spend on such questions.
    """

    asker: Principal
    demands: Requirements
    route: str
    usd_per_day: float
    question: str
    kept_question: str
    fresh: str
    kept: str


class AnswerJudge(Protocol):
    @abstractmethod
    async def same(self, compared: Comparison) -> bool | None:
        """Whether the kept answer would have been right. None: cannot say. Raises StoreUnavailable."""
        ...
