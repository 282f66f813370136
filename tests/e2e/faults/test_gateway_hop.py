"""The gateway in between fails: another way is taken, and the provider behind it is not blamed."""

import socket
from collections.abc import Iterator

import pytest

from tests.e2e.faults.world import SLACK_S, FaultWorld, fault_world

CALLS = 6
"""Each over a pair of its own."""


@pytest.fixture(scope="module")
def dead_gateway_url() -> Iterator[str]:
    with socket.socket() as held:
        # Bound but not listening: connections are refused, and nobody else can take the port.
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


@pytest.fixture(scope="module")
def detouring(dead_gateway_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultWorld]:
    data_dir = tmp_path_factory.mktemp("auto")
    pairs = 2 * CALLS
    with fault_world(data_dir, via="auto", gateway_url=dead_gateway_url, pairs=pairs) as world:
        yield world


@pytest.fixture(scope="module")
def stranded(dead_gateway_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultWorld]:
    data_dir = tmp_path_factory.mktemp("stranded")
    with fault_world(data_dir, via="portkey", gateway_url=dead_gateway_url, pairs=2) as world:
        yield world


def test_a_dead_gateway_is_bypassed_within_the_request(detouring: FaultWorld, stream: bool) -> None:
    for pair in (detouring.pair() for _ in range(CALLS)):
        heard = detouring.ask(pair.one, stream=stream)
        assert heard.whole
        assert heard.keep_alives or heard.headers["x-interchange-via"] == "direct"
        assert heard.took_s < SLACK_S
        rows = detouring.rows(heard)
        assert rows.outcomes[-1] == "ok" and set(rows.outcomes[:-1]) <= {"network"}
        assert [row["via"] for row in rows.attempts] in (["gateway", "direct"], ["direct"])
        assert all(row["cost_nano_usd"] == 0 for row in rows.attempts[:-1]), "what was not sent costs nothing"
        state = detouring.live_of(f"{pair.a}/m")
        assert state.breaker._consecutive == 0 and state.provider.health.snapshot(0.0).samples <= 1


def test_without_another_way_the_error_is_clear_and_the_provider_is_not_blamed(
    stranded: FaultWorld, stream: bool
) -> None:
    pair = stranded.pair()
    for _ in range(4):
        heard = stranded.ask(pair.one, stream=stream)
        assert heard.status in (502, 503) and heard.error is not None
        assert heard.took_s < SLACK_S
    assert not pair.asked(pair.a)
    state = stranded.live_of(f"{pair.a}/m")
    assert state.breaker._consecutive == 0
    assert state.provider.health.snapshot(0.0).samples == 0
