"""What LiteLLM's cost map says of pictures, sound, characters and searches.

A model that is priced by tokens keeps those: the map gives many of them prices per picture or second as well,
which say the same twice. The prices of sized pictures stand in entries of their own
(`hd/1024-x-1024/dall-e-3`), which become parts of their model's.
"""

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from adapters.pricing.feed_reading import Entry
from domain.catalog.prices import Rates
from domain.llm.units import AUDIO_IN_MS, CHARACTERS, IMAGES, SEARCHES, UnitCount

_SIZED: Final = re.compile(
    r"^(?P<host>[a-z_]+/)?(?:(?P<quality>hd|standard|low|medium|high)/)?"
    r"(?P<width>\d+)-x-(?P<height>\d+)/(?P<model>.+)$"
)
_SECONDS_PER_MILLION_MS: Final = Decimal(1000)
USED_KEYS: Final = frozenset(
    {
        "input_cost_per_image",
        "output_cost_per_image",
        "input_cost_per_second",
        "input_cost_per_character",
    }
)


def unit_prices(entry: Entry, mode: str, base: Rates) -> tuple[UnitCount, ...]:
    """The prices of one model's units in nano-dollars per million."""
    match mode:
        case "image_generation" | "image_edit" if not _drawn_in_tokens(base):
            rate = entry.per_token("output_cost_per_image") or entry.per_token("input_cost_per_image")
            return _known(IMAGES, rate)
        case "audio_transcription":
            return _known(AUDIO_IN_MS, entry.amount("input_cost_per_second", _SECONDS_PER_MILLION_MS))
        case "audio_speech":
            return _known(CHARACTERS, entry.per_token("input_cost_per_character"))
        case "rerank":
            return _known(SEARCHES, entry.per_token("input_cost_per_query"))
        case _:
            return ()


def sized_prices(entries: Iterable[tuple[str, Entry]]) -> dict[str, tuple[UnitCount, ...]]:
    """By the key of the model: the prices of its pictures by size and quality."""
    found: dict[str, dict[str, int]] = {}
    for key, entry in entries:
        match = _SIZED.match(key)
        if match is None:
            continue
        pixels = int(match["width"]) * int(match["height"])
        rate = entry.per_token("output_cost_per_image") or entry.per_token("input_cost_per_image")
        rate = rate or entry.amount("input_cost_per_pixel", Decimal(1_000_000 * pixels))
        if not rate:
            continue
        size = f"{IMAGES}:{match['width']}x{match['height']}"
        plain = match["quality"] in (None, "standard")
        model = f"{match['host'] or ''}{match['model']}"
        found.setdefault(model, {})[size if plain else f"{size}:{match['quality']}"] = rate
    return {model: tuple(rates.items()) for model, rates in found.items()}


def with_sizes(
    units: tuple[UnitCount, ...], sizes: tuple[UnitCount, ...], base: Rates
) -> tuple[UnitCount, ...]:
    """A model's units and the sizes of its pictures, which it has no use for where it draws in tokens."""
    return units if _drawn_in_tokens(base) else (*units, *sizes)


def _drawn_in_tokens(base: Rates) -> bool:
    return bool(base.output_image or base.output)


def _known(unit: str, rate: int | None) -> tuple[UnitCount, ...]:
    return ((unit, rate),) if rate else ()
