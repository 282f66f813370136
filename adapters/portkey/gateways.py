"""Which of several gateway instances gets the next call. No I/O; told the time."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from adapters.portkey.endpoint import GatewayAddress
from application.ports.http import Endpoint

COOL_DOWN_FIRST_S: Final = 1.0
COOL_DOWN_MAX_S: Final = 30.0


class GatewayHealth(NamedTuple):
    """One instance as the health answer shows it."""

    url: str
    up: bool
    last_error: str | None


class Gateway:
    """One instance and what is known of it."""

    __slots__ = ("address", "down_until", "endpoint", "failures", "last_error", "path_prefix")

    def __init__(self, address: GatewayAddress) -> None:
        self.address = address
        self.endpoint: Endpoint = address.endpoint
        self.path_prefix = address.path_prefix
        self.down_until = 0.0
        self.failures = 0
        self.last_error: str | None = None


class GatewayPool:
    """Round-robin over the instances that answer.

    One that could not be reached is left alone for a second, then two, four, up to thirty; an answer of any
    kind ends that. When the pause is over, the next call tries it.
    """

    __slots__ = ("_gateways", "_next")

    def __init__(self, addresses: Sequence[GatewayAddress]) -> None:
        self._gateways: tuple[Gateway, ...] = ()
        self._next = 0
        self.replace(addresses)

    def replace(self, addresses: Sequence[GatewayAddress]) -> None:
        """Another set of instances; those that stay keep their health. Raises ValueError for a bad URL."""
        known = {gateway.address: gateway for gateway in self._gateways}
        unique = dict.fromkeys(addresses)
        self._gateways = tuple(known.get(address) or Gateway(address) for address in unique)

    def pick(self, now: float) -> Gateway | None:
        """The next instance in turn; None when none can be used now."""
        gateways = self._gateways
        count = len(gateways)
        for step in range(count):
            place = (self._next + step) % count
            if gateways[place].down_until <= now:
                self._next = place + 1
                return gateways[place]
        return None

    def any_up(self, now: float) -> bool:
        return any(gateway.down_until <= now for gateway in self._gateways)

    def all(self) -> tuple[Gateway, ...]:
        return self._gateways

    def unreachable(self, gateway: Gateway, now: float, error: str) -> None:
        """It could not be reached."""
        pause_s = min(COOL_DOWN_MAX_S, COOL_DOWN_FIRST_S * 2 ** min(gateway.failures, 10))
        gateway.failures += 1
        gateway.down_until = now + pause_s
        gateway.last_error = error

    def answered(self, gateway: Gateway) -> None:
        """It answered, whatever it said."""
        if gateway.failures:
            gateway.failures = 0
            gateway.down_until = 0.0
            gateway.last_error = None

    def health(self, now: float) -> tuple[GatewayHealth, ...]:
        return tuple(
            GatewayHealth(gateway.address.url, gateway.down_until <= now, gateway.last_error)
            for gateway in self._gateways
        )
