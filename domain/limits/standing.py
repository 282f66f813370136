"""How a caller stands with one limit, as far as this instance knows."""

from typing import NamedTuple

from domain.limits.limit import Meter


class LimitStanding(NamedTuple):
    """`remaining` of `amount`; everything is there again in `reset_s`."""

    limit_id: str
    name: str
    scope: str
    subject: str
    meter: Meter
    amount: int
    per: str
    calendar: bool
    remaining: int
    reset_s: float

    @property
    def share_left(self) -> float:
        return self.remaining / self.amount
