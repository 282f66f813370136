"""Through the gateway or direct."""

import pytest

from domain.routing.target import Via
from domain.routing.way import Way, choose_way


@pytest.mark.parametrize(
    ("via", "gateway", "direct", "drops", "way"),
    [
        (Via.AUTO, True, True, (), Way.GATEWAY),
        (Via.AUTO, True, True, ("service_tier",), Way.DIRECT),
        (Via.AUTO, True, False, ("service_tier",), Way.GATEWAY),
        (Via.AUTO, False, True, (), Way.DIRECT),
        (Via.AUTO, False, False, (), None),
        (Via.PORTKEY, True, True, ("service_tier",), Way.GATEWAY),
        (Via.PORTKEY, False, True, (), None),
        (Via.DIRECT, True, True, (), Way.DIRECT),
        (Via.DIRECT, True, False, (), None),
    ],
)
def test_the_way_follows_via(
    via: Via, gateway: bool, direct: bool, drops: tuple[str, ...], way: Way | None
) -> None:
    assert choose_way(via, gateway_reaches=gateway, direct_reaches=direct, gateway_drops=drops) is way
