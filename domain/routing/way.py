"""Which way a call takes: through the gateway, or straight to the provider (SPEC section 11, `via`)."""

from enum import Enum
from typing import assert_never

from domain.routing.target import Via


class Way(Enum):
    """The way of one attempt."""

    GATEWAY = "gateway"
    DIRECT = "direct"


def choose_way(
    via: Via, *, gateway_reaches: bool, direct_reaches: bool, gateway_drops: tuple[str, ...] = ()
) -> Way | None:
    """The way to take now; None when no allowed way leads there.

    `gateway_drops` are the fields of this request that the gateway would lose. AUTO avoids such a loss while
    it can; with no direct way it takes the gateway all the same, and the loss is for the caller to report.
    """
    match via:
        case Via.PORTKEY:
            return Way.GATEWAY if gateway_reaches else None
        case Via.DIRECT:
            return Way.DIRECT if direct_reaches else None
        case Via.AUTO:
            if gateway_reaches and not (gateway_drops and direct_reaches):
                return Way.GATEWAY
            return Way.DIRECT if direct_reaches else None
        case _:
            assert_never(via)
