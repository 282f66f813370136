"""What an attempt consumed, in inclusive token buckets.

`input_tokens` contains the cached, written, audio and image parts; `output_tokens` contains reasoning
and audio. Adapters translate each vendor's convention into this one; pricing turns it into disjoint
buckets in one place (`domain.catalog.prices`). Stated once, so nothing is billed twice.
"""

from typing import NamedTuple

from domain.llm.units import UnitCount


class Usage(NamedTuple):
    """Token counts of one attempt. A part larger than its whole is the adapter's bug; see `repaired`."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_read_tokens: int = 0
    """Part of the input served from the provider's prompt cache."""
    cache_write_tokens: int = 0
    """Part of the input written to the provider's prompt cache (short-lived, such as 5 minutes)."""
    cache_write_long_tokens: int = 0
    """Part of the input written for longer (such as 1 hour)."""
    input_audio_tokens: int = 0
    input_image_tokens: int = 0
    output_audio_tokens: int = 0
    output_image_tokens: int = 0
    reasoning_tokens: int = 0
    estimated: bool = False
    """True when the provider gave no count and Interchange counted."""
    variant: str = ""
    """The tier of service that was served, as the price book names it; empty: the provider did not say."""
    units: tuple[UnitCount, ...] = ()
    """What was counted beside tokens (`domain.llm.units`)."""

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    def repaired(self) -> "Usage":
        """The same without counts below zero and with totals that cover their parts, flagged `estimated` when
        that was needed."""
        inputs, outputs, read, written, written_long, sound, images, spoken, drawn, reasoned, *_ = self
        input_parts = read + written + written_long + sound + images
        output_parts = spoken + drawn + reasoned
        least = min(inputs, outputs, read, written, written_long, sound, images, spoken, drawn, reasoned)
        if input_parts <= inputs and output_parts <= outputs and least >= 0:
            return self
        if least < 0:
            counts = {name: max(0, getattr(self, name)) for name in _COUNTS}
            return self._replace(**counts, estimated=True).repaired()
        return self._replace(
            input_tokens=max(self.input_tokens, input_parts),
            output_tokens=max(self.output_tokens, output_parts),
            estimated=True,
        )


_COUNTS = Usage._fields[: Usage._fields.index("estimated")]
NO_USAGE = Usage()

BYTES_PER_TOKEN_TYPICAL = 4
"""For estimates that are shown as such. The true bound is one token per byte."""

MEDIA_TOKENS_TYPICAL = 1_600
"""Of one picture at a vendor's full resolution. What a document counts only its provider knows."""


def estimate_tokens(size_bytes: int) -> int:
    """A typical count for text of this size, rounded up."""
    return -(-size_bytes // BYTES_PER_TOKEN_TYPICAL)


def estimated_usage(input_tokens: int, answer_chars: int) -> Usage:
    """A count of our own where the provider gave none; flagged, so it never passes for a bill."""
    return Usage(input_tokens, estimate_tokens(answer_chars), estimated=True)
