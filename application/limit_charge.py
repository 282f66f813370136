"""What a request took from rate limits, until its estimate was corrected."""

from application.limit_slice import Slice


class LimitCharge:
    """What one request took from the limits that concern it: one request, or `tokens`, of each slice.

    `granted_at_us` says of each slice when that was granted. `slices` is the same tuple for all requests that
    look alike to every limit.
    """

    __slots__ = ("corrected", "granted_at_us", "slices", "tokens")

    def __init__(self, slices: tuple[Slice, ...], granted_at_us: list[int], tokens: int) -> None:
        self.slices = slices
        self.granted_at_us = granted_at_us
        self.tokens = tokens
        self.corrected = False
