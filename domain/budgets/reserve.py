"""What of a hard budget is kept for callers, where a call runs that nobody asked for. Pure."""

from typing import Final

from domain.budgets.budget import BASIS_POINTS

RESERVE_BASIS_POINTS: Final = 1_000
"""A tenth of the limit."""


def leaves_reserve(limit_nano_usd: int, rest_nano_usd: int, needed_nano_usd: int) -> bool:
    """Whether a tenth of the limit is left when `needed_nano_usd` are held as well."""
    return (rest_nano_usd - needed_nano_usd) * BASIS_POINTS >= limit_nano_usd * RESERVE_BASIS_POINTS
