"""A row of numbers as a row of bars."""

from collections.abc import Sequence
from typing import Final

_BARS: Final = "▁▂▃▄▅▆▇█"
NOTHING: Final = "·"


def sparkline(amounts: Sequence[float | None]) -> str:
    """One character each, the highest bar for the greatest; nothing at all is a dot."""
    most = max((one for one in amounts if one is not None), default=0)
    return "".join(NOTHING if not one or one < 0 else _bar(one, most) for one in amounts)


def _bar(one: float, most: float) -> str:
    return _BARS[min(len(_BARS) - 1, int(one / most * len(_BARS)))]
