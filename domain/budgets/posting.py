"""What an attempt does to the accounts it concerned, as it is written into the attempt's usage row.

A row carries it through journal and database, so that usage and ledger can never disagree: whoever writes
the row for the first time posts it, in the same transaction.
"""

from collections.abc import Sequence
from enum import Enum
from functools import lru_cache
from typing import Final, NamedTuple


class HoldOutcome(Enum):
    """What became of a hold."""

    SETTLED = "settled"
    """The bill is known."""
    RELEASED = "released"
    """It was certainly not billed."""
    UNRESOLVED = "unresolved"
    """Nobody knows the bill: the held amount counts until somebody does, or until a stated deadline."""


class Posting(NamedTuple):
    """One attempt's charge on accounts.

    `holder` is who held it (a process), `payer` whose lease in the database it is taken from: the same,
    unless the holder's lease came out of a pool. `soft` accounts have no lease: they only count, and what
    they count is the row's cost, also where it is our own estimate.
    """

    attempt_id: str
    outcome: HoldOutcome
    charged_nano_usd: int
    """What counts as spent on hard budgets: the bill, nothing, or the held amount."""
    held_nano_usd: int
    cost_nano_usd: int
    """What soft budgets count; 0 where nothing is known."""
    holder: str
    payer: str
    leased: tuple[str, ...]
    """Ids of the hard budgets' accounts."""
    soft: tuple[str, ...] = ()

    @property
    def accounts(self) -> tuple[str, ...]:
        return self.leased + self.soft


_SEPARATOR = " "
LINES_SUFFIX: Final = ".lines"
LINES_PATIENCE_US: Final = 15 * 86_400_000_000
"""Longer than any batch lives: what its lines cost is told at its end, however late that is."""


def lines_charge_id(batch_id: str) -> str:
    """Under which id all lines of a batch are charged that a provider works on."""
    return f"{batch_id}{LINES_SUFFIX}"


def is_overdue(attempt_id: str, since_us: int, before_us: int) -> bool:
    """Whether the stated deadline is over for an unresolved charge; for most, what is older than `before`."""
    patience_us = LINES_PATIENCE_US if attempt_id.endswith(LINES_SUFFIX) else 0
    return since_us < before_us - patience_us


def posting_text(
    outcome: HoldOutcome,
    charged_nano_usd: int,
    held_nano_usd: int,
    cost_nano_usd: int,
    holder: str,
    payer: str,
    leased: Sequence[str],
    soft: Sequence[str],
) -> str:
    """A posting as one line; the attempt's id stands beside it in the row. Ids hold no space or comma."""
    # `_value_`: a line is made for every attempt, and `value` is looked up by a function of Python's.
    return (
        f"{outcome._value_} {charged_nano_usd} {held_nano_usd} {cost_nano_usd} {holder} {payer or holder}"
        f" {','.join(leased) or '-'} {','.join(soft) or '-'}"
    )


def written(posting: Posting) -> str:
    """`posting_text` of a posting."""
    return posting_text(*posting[1:])


def read_posting(attempt_id: str, text: str) -> Posting:
    """The posting of a row.

    Raises:
        ValueError: the text is not one.
    """
    parts = text.split(_SEPARATOR)
    if len(parts) != 8:
        raise ValueError(f"not a posting: {text[:80]!r}")
    outcome, charged, held, cost, holder, payer, leased, soft = parts
    return Posting(
        attempt_id,
        _OUTCOMES.get(outcome) or HoldOutcome(outcome),
        int(charged),
        int(held),
        int(cost),
        holder,
        payer,
        _ids(leased),
        _ids(soft),
    )


_OUTCOMES: Final = {outcome.value: outcome for outcome in HoldOutcome}


@lru_cache(maxsize=1024)
def _ids(text: str) -> tuple[str, ...]:
    return () if text == "-" else tuple(text.split(","))
