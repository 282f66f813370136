"""What the same tokens cost at another target's prices: known without guessing what would have happened.

No estimate of a policy: the other model may count the same text as more or fewer tokens, and writes answers
of its own length. Input is taken as it was counted, without any cache; output as it was, between half and
twice as much.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from domain.analytics.baseline import token_cost
from domain.backtest.record import Record
from domain.catalog.prices import PriceTable

OUTPUT_LOW: Final = 0.5
OUTPUT_HIGH: Final = 2.0
TARGETS_MAX: Final = 8
"""Of a policy, those that are repriced: the first ones."""


class Repriced(NamedTuple):
    """Nano-dollars of all the requests. `low` and `high` are at half and at twice the output."""

    target_id: str
    low: int
    same: int
    high: int


def billed(records: Iterable[Record]) -> list[Record]:
    """Those that can be repriced: answered, and with a known bill for tokens."""
    return [
        each
        for each in records
        if each.outcome == "ok" and each.cost_nano_usd is not None and each.input_tokens > 0
    ]


def repriced(records: Iterable[Record], target_id: str, prices: PriceTable) -> Repriced | None:
    """What these requests' tokens cost at these prices, each in the tier of its size; None: not all prices
    are known."""
    sums = [0, 0, 0]
    for each in records:
        for place, share in enumerate((OUTPUT_LOW, 1.0, OUTPUT_HIGH)):
            cost = token_cost(prices, 1, each.input_tokens, round(each.output_tokens * share))
            if cost is None:
                return None
            sums[place] += cost
    return Repriced(target_id, *sums)
