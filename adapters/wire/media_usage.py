"""What answers beside text say about their size: tokens in two spellings, seconds, pictures, searches."""

from typing import Any

from msgspec import Struct

from adapters.wire.openai_usage import OpenAiUsage, read_only
from domain.llm.request import LlmRequest
from domain.llm.units import AUDIO_IN_MS, IMAGES, SEARCHES, UnitCount, images
from domain.llm.usage import Usage

SECONDS_MAX = 10**7


class _Details(Struct):
    text_tokens: int | None = None
    image_tokens: int | None = None
    audio_tokens: int | None = None
    cached_tokens: int | None = None


class MediaUsage(OpenAiUsage):
    """`usage` as any of these endpoints says it; the names of chats are among them."""

    type: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    input_tokens_details: _Details | None = None
    input_token_details: _Details | None = None
    output_tokens_details: _Details | None = None
    output_token_details: _Details | None = None
    seconds: float | None = None


class BilledUnits(Struct):
    """Of Cohere's `meta`."""

    search_units: float | None = None
    input_tokens: float | None = None


class BilledMeta(Struct):
    """Cohere's `meta`."""

    billed_units: BilledUnits | None = None


def tokens_of(said: MediaUsage | None) -> Usage | None:
    """The tokens, parts as parts of the whole; None where none were counted."""
    if said is None:
        return None
    if said.input_tokens is None and said.output_tokens is None:
        return read_only(said)
    into = said.input_tokens_details or said.input_token_details or _Details()
    out = said.output_tokens_details or said.output_token_details or _Details()
    whole = said.input_tokens or 0
    cached = min(into.cached_tokens or 0, whole)
    sound = min(into.audio_tokens or 0, whole - cached)
    return Usage(
        input_tokens=whole,
        output_tokens=said.output_tokens or 0,
        cached_read_tokens=cached,
        input_audio_tokens=sound,
        input_image_tokens=min(into.image_tokens or 0, whole - cached - sound),
        output_audio_tokens=out.audio_tokens or 0,
        output_image_tokens=out.image_tokens or 0,
    )


def sound_heard(said: MediaUsage | None, duration_s: float | None = None) -> Usage | None:
    """Of a transcript: tokens, else how long the sound was, to a millisecond; None where nobody says."""
    tokens = tokens_of(said)
    if tokens is not None:
        return tokens
    seconds = said.seconds if said is not None and said.seconds is not None else duration_s
    if seconds is None or not 0 <= seconds <= SECONDS_MAX:
        return None
    return Usage(units=((AUDIO_IN_MS, round(seconds * 1000)),))


def sound_made(said: MediaUsage | None, request: LlmRequest) -> Usage:
    """Of speech: what comes out is sound, whether the counts say so or not; and the characters spoken."""
    tokens = tokens_of(said) or Usage()
    return tokens._replace(output_audio_tokens=tokens.output_tokens, units=request.units)


def pictures_made(
    said: MediaUsage | None, request: LlmRequest, count: int, size: Any = None, quality: Any = None
) -> Usage:
    """Of pictures: the tokens where they are told, and how many of which kind came.

    Kind is what the answer says of them, else what was asked for.
    """
    asked = request.units[0][0] if request.units else IMAGES
    _, asked_size, asked_quality, *_ = (*asked.split(":"), "", "")
    told = size if isinstance(size, str) else asked_size
    units = images(count, told, quality if isinstance(quality, str) else asked_quality)
    tokens = tokens_of(said)
    if tokens is None:
        return Usage(units=units)
    if not tokens.output_image_tokens:
        out = said and (said.output_tokens_details or said.output_token_details)
        text = (out.text_tokens or 0) if out else 0
        tokens = tokens._replace(output_image_tokens=max(0, tokens.output_tokens - text))
    return tokens._replace(units=units)


def searches_made(said: MediaUsage | None, meta: BilledMeta | None, request: LlmRequest) -> Usage:
    """Of a ranking: the tokens and the searches that are billed, ours where the answer does not say."""
    billed = meta.billed_units if meta is not None else None
    units: tuple[UnitCount, ...] = request.units
    if billed is not None and billed.search_units is not None:
        units = ((SEARCHES, int(billed.search_units)),)
    return (tokens_of(said) or Usage())._replace(units=units)
