"""Values as invoices write them."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Final

from domain.money import InvalidAmount, parse_usd

_MILLISECONDS_FROM: Final = 10**11
"""Epoch numbers from here on are milliseconds: in seconds this would be the year 5138."""
_LINE_ITEM: Final = re.compile(
    r",\s*(cached |audio |image |text )*(input|output|cached input|cache read|cache write)s?( tokens?)?$",
    re.IGNORECASE,
)
"""What OpenAI's line items add to a model's name: `gpt-4o-2024-08-06, cached input`."""


def day_of(value: object) -> str:
    """A date, a time or epoch seconds as a UTC day, `2026-01-31`. Raises ValueError."""
    text = str(value).strip()
    if re.fullmatch(r"\d{9,14}(\.\d+)?", text):
        number = float(text)
        seconds = number / 1000 if number >= _MILLISECONDS_FROM else number
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}"
    moment = datetime.fromisoformat(re.sub(r"\s*(UTC|GMT)$", "+00:00", text))
    return f"{moment.astimezone(UTC) if moment.tzinfo else moment:%Y-%m-%d}"


def nano_usd_of(value: object, *, cents: bool = False) -> int:
    """An amount of dollars, or of cents, exact; finer ones are rounded up. Raises ValueError."""
    text = str(value).strip().replace("$", "").replace(",", "").replace("USD", "").strip()
    if not text:
        raise ValueError("there is no amount")
    try:
        amount = Decimal(text)
        return parse_usd(amount.scaleb(-2) if cents and amount.is_finite() else amount)
    except (InvalidOperation, InvalidAmount):
        raise ValueError(f"{str(value)[:40]!r} is no amount of dollars") from None


def model_of(value: object, names: Mapping[str, str]) -> str:
    """A model's name as we know it; what stands in `names` is called so."""
    text = "" if value is None else str(value).strip()
    text = _LINE_ITEM.sub("", text)
    return names.get(text, text)
