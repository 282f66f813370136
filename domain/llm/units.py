"""What is counted beside tokens: pictures, sound, characters, searches.

A count is (unit, whole number). Pictures may say more after a colon, from the coarse to the fine:
`images:1024x1024:hd`. Sound is counted in milliseconds, so that fractions of a second stay exact.
"""

from collections.abc import Sequence
from typing import Final

UnitCount = tuple[str, int]

IMAGES: Final = "images"
AUDIO_IN_MS: Final = "audio_in_ms"
CHARACTERS: Final = "characters"
SEARCHES: Final = "searches"
UNMEASURED: Final = "unmeasured"
"""Something was answered, and nobody said how much of it: no price is ever known for that."""

PRICED_UNITS: Final = (IMAGES, AUDIO_IN_MS, CHARACTERS, SEARCHES)
NOT_COUNTED: Final[tuple[UnitCount, ...]] = ((UNMEASURED, 1),)


def images(count: int, size: str = "", quality: str = "") -> tuple[UnitCount, ...]:
    """So many pictures of one kind. Words that say nothing, such as `auto`, are left out."""
    said = [word.strip().lower() for word in (size, quality)]
    size, quality = ("" if word == "auto" or ":" in word else word[:32] for word in said)
    name = f"{IMAGES}:{size}" if size else IMAGES
    return ((f"{name}:{quality}" if quality else name, count),)


def unit_rate(rates: Sequence[UnitCount], unit: str) -> int | None:
    """The price of one unit among `rates`; None when there is none for exactly this.

    What is said more finely than the prices costs what the coarser words cost, but only where the prices tell
    nothing finer apart: a picture in `hd` is not billed as a plain one where some other quality has a price
    of its own. The quality `standard` is the plain one.
    """
    known = dict(rates)
    while unit not in known:
        coarser, colon, word = unit.rpartition(":")
        finer_known = any(name.startswith(f"{coarser}:") for name in known)
        if not colon or (finer_known and word != "standard"):
            return None
        unit = coarser
    return known[unit]


def shown_units(counts: Sequence[UnitCount]) -> str:
    """Counts as one line: `images:1024x1024=2 characters=40`; empty for none."""
    return " ".join(f"{unit}={count}" for unit, count in counts)
