"""Faults before the answer: rate limits, errors, lost connections, silence, providers that are down."""

from itertools import pairwise

import pytest

from tests.e2e.faults.world import (
    CONNECT_S,
    FIRST_TOKEN_S,
    OPEN_LONG_S,
    SLACK_S,
    TOTAL_S,
    FaultWorld,
    Heard,
    Pair,
)


def answered_by(world: FaultWorld, heard: Heard, provider: str, way: str) -> bool:
    """As the row says; as the headers say, too, unless they had to leave before anybody had answered."""
    wanted = (provider, "gateway" if way == "portkey" else "direct")
    last = world.rows(heard).attempts[-1]
    said = (heard.headers.get("x-interchange-provider"), heard.headers.get("x-interchange-via"))
    return (last["provider"], last["via"]) == wanted and (heard.keep_alives > 0 or said == wanted)


def test_a_healthy_provider_gives_the_whole_answer(
    world: FaultWorld, pair: Pair, stream: bool, way: str
) -> None:
    heard = world.ask(pair.both, stream=stream)
    assert heard.whole and answered_by(world, heard, pair.a, way)
    rows = world.rows(heard)
    assert rows.outcomes == ["ok"] and rows.request["provider"] == pair.a
    assert not rows.attempts[0]["estimated"]
    assert len(pair.asked()) == 1 and not pair.asked(pair.b)


def test_a_429_of_the_only_provider_is_waited_out(
    world: FaultWorld, pair: Pair, stream: bool, way: str
) -> None:
    pair.fault(kind="status", status=429, retry_after_s=1, times=1)
    heard = world.ask(pair.one, stream=stream)
    assert heard.whole
    first, second = pair.asked()
    assert second.at_s - first.at_s >= 1.0, "the provider asked for a second"
    assert world.rows(heard).outcomes == ["rate_limit", "ok"]
    if not stream:
        assert answered_by(world, heard, pair.a, way) and heard.headers["x-interchange-attempts"] == "2"
    else:
        assert heard.keep_alives > 0, "the caller is kept alive meanwhile"


def test_a_429_with_a_date_is_waited_out_too(world: FaultWorld, pair: Pair) -> None:
    pair.fault(kind="status", status=429, retry_after_s=1, retry_after_date=True, times=1)
    heard = world.ask(pair.one, stream=False)
    assert heard.whole and len(pair.asked()) == 2


def test_a_429_is_not_waited_out_while_another_can_answer(
    world: FaultWorld, pair: Pair, stream: bool, way: str
) -> None:
    pair.fault(kind="status", status=429, retry_after_s=1)
    heard = world.ask(pair.both, stream=stream)
    assert heard.whole and answered_by(world, heard, pair.b, way)
    assert len(pair.asked()) == 1, "whoever waits asks again"
    assert heard.keep_alives or heard.headers["x-interchange-fallback"] == "true"
    again = world.ask(pair.both, stream=stream)
    assert again.whole and len(pair.asked()) == 1, "who asked for a pause gets it"
    rows = world.rows(heard)
    assert rows.outcomes == ["rate_limit", "ok"]
    assert [row["provider"] for row in rows.attempts] == [pair.a, pair.b]
    assert rows.attempts[0]["cost_nano_usd"] == 0
    assert rows.request["cost_nano_usd"] == rows.attempts[1]["cost_nano_usd"] > 0


def test_an_endless_429_ends_with_429_and_the_time_to_come_back(
    world: FaultWorld, pair: Pair, stream: bool
) -> None:
    pair.fault(kind="status", status=429, retry_after_s=30)
    heard = world.ask(pair.one, stream=stream)
    assert heard.status == 429 and heard.error is not None
    assert heard.took_s < SLACK_S, "nobody is held for half a minute"
    assert 29 <= int(heard.headers["retry-after"]) <= 30
    assert heard.headers["x-should-retry"] == "false"
    assert len(pair.asked()) == 1
    assert world.rows(heard).request["error_code"] == "upstream_rate_limit"


def test_an_endless_429_without_a_time_is_asked_politely(world: FaultWorld, pair: Pair, stream: bool) -> None:
    pair.fault(kind="status", status=429)
    heard = world.ask(pair.one, stream=stream)
    assert heard.error is not None and heard.took_s < TOTAL_S + SLACK_S
    times = [arrival.at_s for arrival in pair.asked()]
    assert 2 <= len(times) <= 3
    assert all(later - earlier >= 1.0 for earlier, later in pairwise(times))


def test_one_500_is_repeated(world: FaultWorld, pair: Pair, stream: bool, way: str) -> None:
    pair.fault(kind="status", status=500, times=1)
    heard = world.ask(pair.both, stream=stream)
    assert heard.whole and answered_by(world, heard, pair.a, way)
    assert world.rows(heard).outcomes == ["server_error", "ok"]
    assert len(pair.asked()) == 2 and not pair.asked(pair.b)


def test_an_endless_503_goes_to_the_next_provider_at_once(
    world: FaultWorld, pair: Pair, stream: bool, way: str
) -> None:
    pair.fault(kind="status", status=503)
    heard = world.ask(pair.both, stream=stream)
    assert heard.whole and answered_by(world, heard, pair.b, way)
    assert world.rows(heard).outcomes == ["overloaded", "overloaded", "ok"]
    arrivals = [arrival.at_s for arrival in (*pair.asked(), *pair.asked(pair.b))]
    assert len(arrivals) == 3 and arrivals[-1] - arrivals[0] < 0.1 + SLACK_S / 3


def test_an_endless_503_of_the_only_provider_is_a_clear_error(
    world: FaultWorld, pair: Pair, stream: bool
) -> None:
    pair.fault(kind="status", status=503)
    heard = world.ask(pair.one, stream=stream)
    assert heard.status in (200, 503) and heard.error is not None
    rows = world.rows(heard)
    assert rows.outcomes == ["overloaded"] * 3 and rows.request["error_code"] == "upstream_overloaded"
    assert rows.request["cost_nano_usd"] == 0
    if heard.status == 503:
        assert heard.headers["x-should-retry"] == "false"


@pytest.mark.parametrize("kind", ["reset_before_headers", "close_before_headers"])
def test_a_reset_before_the_headers_goes_to_the_next_provider(
    world: FaultWorld, pair: Pair, stream: bool, way: str, kind: str
) -> None:
    pair.fault(kind=kind)
    heard = world.ask(pair.both, stream=stream)
    assert heard.whole and answered_by(world, heard, pair.b, way)
    rows = world.rows(heard)
    assert rows.outcomes == ["network", "network", "ok"]
    assert [row["provider"] for row in rows.attempts] == [pair.a, pair.a, pair.b]
    assert len(pair.asked(pair.b)) == 1


def test_one_reset_is_repeated(world: FaultWorld, pair: Pair, stream: bool) -> None:
    pair.fault(kind="reset_before_headers", times=1)
    heard = world.ask(pair.one, stream=stream)
    assert heard.whole and world.rows(heard).outcomes[-1] == "ok"


def test_silence_in_a_stream_goes_to_the_next_provider(world: FaultWorld, pair: Pair, way: str) -> None:
    pair.fault(kind="silence")
    heard = world.ask(pair.both, stream=True)
    assert heard.whole and heard.took_s < FIRST_TOKEN_S + CONNECT_S + SLACK_S
    assert world.rows(heard).outcomes == ["timeout", "ok"]
    assert heard.keep_alives > 0, "the 200 was committed, and failover stayed open"
    assert world.rows(heard).request["provider"] == pair.b
    assert pair.eventually_left_early(), "the silent call is hung up on"


def test_silence_for_the_whole_time_is_a_timeout(world: FaultWorld, pair: Pair, stream: bool) -> None:
    pair.fault(kind="silence")
    heard = world.ask(pair.one, stream=stream)
    assert heard.error is not None and heard.took_s < TOTAL_S + SLACK_S
    assert heard.status == (200 if stream else 504)
    rows = world.rows(heard)
    assert rows.outcomes == ["timeout"] and rows.request["error_code"] == "upstream_timeout"
    assert rows.request["status"] == 504
    assert pair.eventually_left_early()


def test_a_slow_first_token_goes_to_the_next_provider(world: FaultWorld, pair: Pair) -> None:
    pair.fault(kind="slow_first_token", delay_s=5)
    heard = world.ask(pair.both, stream=True)
    assert heard.whole and heard.took_s < FIRST_TOKEN_S + SLACK_S
    assert world.rows(heard).outcomes == ["timeout", "ok"]
    assert world.rows(heard).request["provider"] == pair.b
    assert pair.eventually_left_early()


def test_a_body_that_comes_too_late_is_a_timeout(world: FaultWorld, pair: Pair) -> None:
    pair.fault(kind="slow_first_token", delay_s=5)
    heard = world.ask(pair.one, stream=False)
    assert heard.status == 504 and heard.error is not None and heard.took_s < TOTAL_S + SLACK_S
    assert pair.eventually_left_early()


def test_a_too_long_prompt_goes_to_a_larger_window(
    world: FaultWorld, pair: Pair, stream: bool, way: str
) -> None:
    pair.fault(kind="status", status=400, code="context_length_exceeded")
    heard = world.ask(pair.both, stream=stream)
    assert heard.whole and answered_by(world, heard, pair.b, way)
    assert world.rows(heard).outcomes == ["context_length", "ok"]
    assert len(pair.asked()) == 1


def test_a_too_long_prompt_without_a_larger_window_is_the_callers_error(
    world: FaultWorld, pair: Pair, stream: bool
) -> None:
    pair.fault(kind="status", status=400, code="context_length_exceeded")
    heard = world.ask(pair.one, stream=stream)
    assert heard.status == 400 and heard.error is not None
    assert heard.error["code"] == "context_length_exceeded"
    assert world.rows(heard).request["error_code"] == "upstream_context_length"
    assert len(pair.asked()) == 1


def test_a_content_policy_is_final(world: FaultWorld, pair: Pair, stream: bool) -> None:
    pair.fault(kind="status", status=400, code="content_policy_violation")
    heard = world.ask(pair.both, stream=stream)
    assert heard.status == 400 and heard.error is not None
    assert heard.error["code"] == "content_policy_violation"
    assert heard.headers["x-should-retry"] == "false"
    assert world.rows(heard).outcomes == ["content_policy"]
    assert len(pair.asked()) == 1 and not pair.asked(pair.b)


def asked_until(world: FaultWorld, route: str, stream: bool, *, attempts: int) -> Heard:
    """The first answer that took no more attempts than these.

    A breaker counts what the provider failed: where a busy gateway lets go of a call first, that is not it.
    """
    for _ in range(10):
        heard = world.ask(route, stream=stream)
        if len(world.rows(heard).attempts) <= attempts:
            break
    return heard


def test_a_provider_that_was_down_is_spared_and_then_used_again(
    world: FaultWorld, pair: Pair, stream: bool, way: str
) -> None:
    world.let_nobody_probe(f"{pair.a}/m")
    pair.fault(kind="down")
    while_down = [world.ask(pair.both, stream=stream) for _ in range(4)]
    assert all(heard.whole and answered_by(world, heard, pair.b, way) for heard in while_down)
    asked_while_down = len(pair.asked())
    assert asked_while_down <= 4 * 2, "an open breaker spares it; a transport may redial once"
    spared_from = asked_until(world, pair.both, stream, attempts=1)
    assert world.rows(spared_from).outcomes == ["ok"], "by then nobody tries it"
    asked_until_open = len(pair.asked())
    assert world.rows(world.ask(pair.both, stream=stream)).outcomes == ["ok"]
    assert len(pair.asked()) == asked_until_open
    pair.heal()
    world.let_open_time_pass(f"{pair.a}/m")

    def is_back() -> bool:
        heard = world.ask(pair.both, stream=stream)
        assert heard.whole
        return answered_by(world, heard, pair.a, way)

    assert world.eventually(is_back)


def test_the_only_provider_that_is_down_is_refused_with_a_time_until_it_is_back(
    world: FaultWorld, pair: Pair, stream: bool
) -> None:
    world.let_nobody_probe(f"{pair.a}/m")
    pair.fault(kind="down")
    first = world.ask(pair.one, stream=stream)
    assert first.error is not None
    refused = asked_until(world, pair.one, stream, attempts=0)
    assert refused.status == 503 and refused.error is not None
    assert refused.error["code"] == "no_provider_available"
    assert 0 < int(refused.headers["retry-after"]) <= OPEN_LONG_S
    assert world.rows(refused).attempts == []
    pair.heal()
    world.let_open_time_pass(f"{pair.a}/m")
    assert world.eventually(lambda: world.ask(pair.one, stream=stream).whole)
