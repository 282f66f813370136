"""What a request took from rate limits, until its estimate was corrected."""

from typing import NamedTuple

from application.limit_slice import Slice


class Taken(NamedTuple):
    """What one request took from one slice."""

    slice: Slice
    granted_at_us: int
    units: int


class LimitCharge:
    """What one request took from the limits that concern it."""

    __slots__ = ("corrected", "taken")

    def __init__(self, taken: tuple[Taken, ...]) -> None:
        self.taken = taken
        self.corrected = False
