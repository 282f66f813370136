"""`providers.*.models.*.units`: prices of what is not measured in tokens."""

from decimal import Decimal
from typing import Annotated

from pydantic import Field, WithJsonSchema

from domain.llm.units import AUDIO_IN_MS, CHARACTERS, IMAGES, SEARCHES, UnitCount
from domain.money import parse_usd
from entrypoints.config.sections import Section

_Usd = Annotated[
    Decimal, Field(ge=0, le=1_000_000), WithJsonSchema({"type": ["number", "string"], "minimum": 0})
]
_Kind = Annotated[str, Field(pattern=r"^[a-z0-9.x-]{1,32}(:[a-z0-9.-]{1,32})?$")]
_MILLION = Decimal(1_000_000)
_MS_PER_MINUTE = Decimal(60_000)


class UnitPriceSettings(Section):
    """What pictures, sound, characters and searches cost, exact. They count where an answer's tokens have no
    price or were not counted."""

    usd_per_image: _Usd | None = Field(default=None, description="Of any size and quality without its own.")
    usd_per_image_of: dict[_Kind, _Usd] = Field(
        default_factory=dict,
        max_length=64,
        description="By size, or size and quality: `1024x1024`, `1024x1024:hd`.",
    )
    usd_per_audio_minute: _Usd | None = Field(
        default=None, description="Of sound that is transcribed, counted to the millisecond."
    )
    usd_per_million_characters: _Usd | None = Field(default=None, description="Of text that is spoken.")
    usd_per_search: _Usd | None = Field(default=None, description="Of a ranking.")

    def rates(self) -> tuple[UnitCount, ...]:
        """Nano-dollars per million of each unit; a finer price is rounded up."""
        per_million: dict[str, Decimal | None] = {
            IMAGES: _times(self.usd_per_image, _MILLION),
            AUDIO_IN_MS: _times(self.usd_per_audio_minute, _MILLION / _MS_PER_MINUTE),
            CHARACTERS: self.usd_per_million_characters,
            SEARCHES: _times(self.usd_per_search, _MILLION),
            **{f"{IMAGES}:{kind}": usd * _MILLION for kind, usd in self.usd_per_image_of.items()},
        }
        return tuple((unit, parse_usd(usd)) for unit, usd in per_million.items() if usd is not None)


def _times(usd: Decimal | None, factor: Decimal) -> Decimal | None:
    return None if usd is None else (usd * factor).quantize(Decimal(1).scaleb(-15))
