"""What a caller may say about how a batch is run, read from its metadata.

OpenAI's API has no fields for it, and its SDKs pass metadata on unchanged.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from domain.errors import InvalidRequest
from domain.money import NANO_PER_USD, InvalidAmount, NanoUsd, parse_usd

PREFIX: Final = "interchange_"
METADATA_PAIRS_MAX: Final = 16
METADATA_KEY_CHARS_MAX: Final = 64
METADATA_VALUE_CHARS_MAX: Final = 512
CONCURRENCY_MAX: Final = 256
RETRIES_MAX: Final = 20
RETRIES_DEFAULT: Final = 4
BUDGET_NANO_USD_MAX: Final = 10**6 * NANO_PER_USD
WINDOW_MIN_S: Final = 60
WINDOW_MAX_S: Final = 14 * 86_400
_WINDOW: Final = re.compile(r"([0-9]{1,5})([mhd])")
_SECONDS: Final = {"m": 60, "h": 3600, "d": 86_400}


class BatchMode(Enum):
    """Who runs the lines."""

    OWN = "own"
    """Interchange, one request per line, at the usual prices."""
    PROVIDER = "provider"
    """The provider's own batch API, at its batch prices; refused where there is none."""
    AUTO = "auto"
    """The provider's where all lines lead to one target whose provider has one and charges less for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSettings:
    """How to run a batch. `concurrency` None: the installation's; `retries` are further tries per line."""

    mode: BatchMode = BatchMode.OWN
    budget_nano_usd: NanoUsd | None = None
    concurrency: int | None = None
    retries: int = RETRIES_DEFAULT


def check_metadata(metadata: Mapping[str, str]) -> None:
    """Raises InvalidRequest for more, longer or emptier pairs than OpenAI allows."""
    if len(metadata) > METADATA_PAIRS_MAX:
        raise InvalidRequest(f"metadata may have at most {METADATA_PAIRS_MAX} pairs", param="metadata")
    for name, value in metadata.items():
        if not name or len(name) > METADATA_KEY_CHARS_MAX or len(value) > METADATA_VALUE_CHARS_MAX:
            raise InvalidRequest(
                f"metadata keys have 1-{METADATA_KEY_CHARS_MAX} characters, values at most "
                f"{METADATA_VALUE_CHARS_MAX}",
                param=f"metadata.{name[:METADATA_KEY_CHARS_MAX]}",
            )


def read_settings(metadata: Mapping[str, str]) -> BatchSettings:
    """The `interchange_*` pairs of a batch's metadata.

    Raises:
        InvalidRequest: a pair of that prefix that is unknown or has no such value; names it.
    """
    check_metadata(metadata)
    known = {"mode", "budget_usd", "concurrency", "retries", "content_hash"}
    for name in metadata:
        if name.startswith(PREFIX) and name.removeprefix(PREFIX) not in known:
            raise InvalidRequest(
                f"{name} is unknown; known: {', '.join(PREFIX + one for one in sorted(known))}",
                param=f"metadata.{name}",
            )
    concurrency = metadata.get(f"{PREFIX}concurrency")
    return BatchSettings(
        mode=_mode(metadata.get(f"{PREFIX}mode", BatchMode.OWN.value)),
        budget_nano_usd=_budget(metadata.get(f"{PREFIX}budget_usd")),
        concurrency=None if concurrency is None else _whole("concurrency", concurrency, 1, CONCURRENCY_MAX),
        retries=_whole("retries", metadata.get(f"{PREFIX}retries", str(RETRIES_DEFAULT)), 0, RETRIES_MAX),
    )


def _mode(text: str) -> BatchMode:
    try:
        return BatchMode(text.strip().lower())
    except ValueError:
        allowed = ", ".join(mode.value for mode in BatchMode)
        raise InvalidRequest(
            f"{PREFIX}mode {text[:40]!r} is unknown; allowed: {allowed}", param=f"metadata.{PREFIX}mode"
        ) from None


def _budget(text: str | None) -> NanoUsd | None:
    if text is None:
        return None
    try:
        amount = parse_usd(text)
    except InvalidAmount:
        amount = NanoUsd(0)
    if not 0 < amount <= BUDGET_NANO_USD_MAX:
        raise InvalidRequest(
            f"{PREFIX}budget_usd must be an amount of US dollars above 0, at most "
            f"{BUDGET_NANO_USD_MAX // NANO_PER_USD}, got {text[:40]!r}",
            param=f"metadata.{PREFIX}budget_usd",
        )
    return amount


def _whole(name: str, text: str, least: int, most: int) -> int:
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1
    if not least <= number <= most:
        raise InvalidRequest(
            f"{PREFIX}{name} must be a whole number from {least} to {most}, got {text[:40]!r}",
            param=f"metadata.{PREFIX}{name}",
        )
    return number


def window_s(text: str) -> int:
    """Seconds of a completion window such as `24h`, `90m` or `7d`.

    Raises:
        InvalidRequest: another form, or outside one minute to 14 days.
    """
    match = _WINDOW.fullmatch(text)
    seconds = int(match[1]) * _SECONDS[match[2]] if match else 0
    if not WINDOW_MIN_S <= seconds <= WINDOW_MAX_S:
        raise InvalidRequest(
            f"completion_window {text[:40]!r} must be such as 24h, from 1m to 14d", param="completion_window"
        )
    return seconds
