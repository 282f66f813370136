"""What a batch may spend: nothing is begun that could take it past its budget.

A line holds its price bound from before it is sent until its bill is known, so the sum of what was spent
and what is held never passes the limit, however many lines run at once.
"""

from enum import Enum

from domain.budgets.worst_case import Bound, worst_attempt_cost
from domain.llm.request import LlmRequest
from domain.routing.target import Target


class Verdict(Enum):
    """Whether a line may be begun."""

    YES = "yes"
    WAIT = "wait"
    """Not beside those that run; perhaps when one of them turned out cheaper than its bound."""
    NEVER = "never"


class Purse:
    """`limit` None: no budget, and nothing is ever refused. Nano-dollars throughout."""

    def __init__(self, limit_nano_usd: int | None, spent_nano_usd: int = 0) -> None:
        self.limit_nano_usd = limit_nano_usd
        self.spent_nano_usd = spent_nano_usd
        self.held_nano_usd = 0

    def judge(self, bound_nano_usd: int | None) -> Verdict:
        """What holds for a line of this bound; an unknown bound fits no budget."""
        if self.limit_nano_usd is None:
            return Verdict.YES
        if bound_nano_usd is None or self.spent_nano_usd + bound_nano_usd > self.limit_nano_usd:
            return Verdict.NEVER
        if self.spent_nano_usd + self.held_nano_usd + bound_nano_usd > self.limit_nano_usd:
            return Verdict.WAIT
        return Verdict.YES

    def hold(self, bound_nano_usd: int | None) -> None:
        """Sets a begun line's bound aside."""
        self.held_nano_usd += bound_nano_usd or 0

    def settle(self, bound_nano_usd: int | None, cost_nano_usd: int | None) -> None:
        """Replaces the hold by the bill; an unknown bill counts as the bound."""
        self.held_nano_usd -= bound_nano_usd or 0
        self.spent_nano_usd += (bound_nano_usd or 0) if cost_nano_usd is None else cost_nano_usd


def line_bound(request: LlmRequest, target: Target) -> int | None:
    """The most one try of this request can cost; None when nothing bounds it."""
    bound = worst_attempt_cost(request, target)
    return bound.nano_usd if isinstance(bound, Bound) else None
