"""Who shows one bad credential after the other: counted by address, in memory, and only for bad ones.

Guessing a key is hopeless (256 bits), so this is no lock: it keeps a broken client or a scanner from filling
the trail and the log with the same line, and tells it to slow down. Good keys never pass by here.
"""

from collections import OrderedDict
from ipaddress import IPv6Address, ip_address
from typing import Final

from application.ports.system import Clock
from domain.errors import TooManyFailures

ADDRESSES_MAX: Final = 10_000
"""Whoever failed least recently is forgotten first."""
WINDOW_S: Final = 60.0
_NETWORK_BITS: Final = 64
"""Whoever has one IPv6 address has at least so many behind it."""


class TurnedAway:
    """Fixed minutes: an address gets `per_minute` plain refusals, then 429 until its minute is over."""

    def __init__(self, clock: Clock, per_minute: int) -> None:
        self._clock = clock
        self._per_minute = per_minute
        self._seen: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self.total = 0
        """Bad credentials since the start."""

    def refuse(self, address: str) -> None:
        """For attempts that cost somebody else something: none is made once an address failed too often.

        Raises TooManyFailures.
        """
        now = self._clock.monotonic()
        since, failures = self._seen.get(_network(address), (now, 0))
        if failures >= self._per_minute and now - since < WINDOW_S:
            raise self._too_many(since, now)

    def count(self, address: str) -> None:
        """One more. Raises TooManyFailures when it is one too many."""
        self.total += 1
        who, now = _network(address), self._clock.monotonic()
        since, failures = self._seen.get(who, (now, 0))
        if now - since >= WINDOW_S:
            since, failures = now, 0
        self._seen[who] = since, failures + 1
        self._seen.move_to_end(who)
        if len(self._seen) > ADDRESSES_MAX:
            self._seen.popitem(last=False)
        if failures >= self._per_minute:
            raise self._too_many(since, now)

    def _too_many(self, since: float, now: float) -> TooManyFailures:
        return TooManyFailures(
            f"more than {self._per_minute} bad credentials came from your address within a minute; a good "
            "one is let in at once",
            retry_after_s=max(1.0, since + WINDOW_S - now),
        )


def _network(address: str) -> str:
    try:
        parsed = ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is None:
        return f"{int(parsed) >> (128 - _NETWORK_BITS):x}"
    return str(parsed.ipv4_mapped or parsed) if isinstance(parsed, IPv6Address) else str(parsed)
