"""Faults in the middle of a stream: never a quiet end, and where the route says so, an exact continuation."""

from typing import Any

import httpx
import pytest

from tests.e2e.faults.world import (
    ANSWER,
    IDLE_S,
    PROMPT,
    SLACK_S,
    FaultWorld,
    Heard,
    Pair,
    beginning,
)

CUT_AT = 40
TRIES = 3
CUTS: list[Any] = [
    pytest.param({"kind": "cut_after", "how": "reset"}, id="reset"),
    pytest.param({"kind": "cut_after", "how": "close"}, id="closed"),
    pytest.param({"kind": "cut_after", "how": "close", "terminator": True}, id="closed in order"),
    pytest.param({"kind": "bad_chunking_after"}, id="bad chunking"),
]
IN_BAND: list[Any] = [
    pytest.param({"kind": "malformed_chunk_after"}, id="malformed"),
    pytest.param({"kind": "error_frame_after", "status": 500}, id="error frame"),
]
STALL = pytest.param({"kind": "stall_after"}, id="stall")


def assert_broken_off(heard: Heard) -> None:
    """An explicit error after the true beginning of the answer; `ask` checks that no end marker came."""
    assert heard.status == 200 and heard.error is not None
    assert heard.error["code"] == "stream_interrupted" and heard.error["message"]
    assert heard.finishes == ()
    assert heard.text and ANSWER.startswith(heard.text)


def broken_off(world: FaultWorld, pair: Pair, fault: dict[str, Any]) -> tuple[Pair, Heard]:
    """What was heard of an answer that broke off, and the pair that was asked. Where a busy machine is late
    with the first token already, the other provider answers, all of it, and another pair is asked."""
    for _ in range(TRIES):
        pair.fault(tokens=CUT_AT, **fault)
        heard = world.ask(pair.both, stream=True)
        if not pair.asked(pair.b):
            return pair, heard
        rows = world.rows(heard)
        assert heard.whole and rows.outcomes == ["timeout", "ok"]
        assert rows.attempts[0]["first_token_us"] is None, "what was said cannot be unsaid"
        pair = world.pair()
    pytest.fail(f"the first token was late {TRIES} times")


@pytest.mark.parametrize("fault", [*CUTS, *IN_BAND, STALL])
def test_a_break_after_40_of_60_tokens_is_an_explicit_error(
    world: FaultWorld, pair: Pair, fault: dict[str, Any]
) -> None:
    pair, heard = broken_off(world, pair, fault)
    assert_broken_off(heard)
    if fault.get("how") != "reset":
        assert heard.text == beginning(CUT_AT), "a reset may take back what was not read yet"
    assert heard.took_s < IDLE_S + SLACK_S
    rows = world.rows(heard)
    assert rows.request["outcome"] == "cut" and rows.request["error_code"] == "stream_interrupted"
    assert len(rows.attempts) == 1 and rows.attempts[0]["provider"] == pair.a
    assert rows.outcomes[0] in ("network", "timeout", "bad_response", "server_error")
    assert rows.attempts[0]["estimated"] and rows.attempts[0]["output_tokens"] > 0
    assert rows.request["cost_nano_usd"] == rows.attempts[0]["cost_nano_usd"] > 0


@pytest.mark.parametrize("fault", [*CUTS, *IN_BAND, STALL])
def test_a_break_before_the_first_token_is_never_seen(
    world: FaultWorld, pair: Pair, way: str, fault: dict[str, Any]
) -> None:
    pair.fault(tokens=0, **fault)
    heard = world.ask(pair.both, stream=True)
    assert heard.whole and heard.took_s < 1.0 + SLACK_S
    rows = world.rows(heard)
    assert rows.outcomes[-1] == "ok" and "ok" not in rows.outcomes[:-1]
    assert (rows.request["provider"], rows.attempts[-1]["provider"]) == (pair.b, pair.b)
    assert len(pair.asked(pair.b)) == 1


def test_a_stream_without_end_marker_is_complete(world: FaultWorld, pair: Pair) -> None:
    pair.fault(kind="no_done")
    heard = world.ask(pair.one, stream=True)
    assert heard.whole and heard.done
    rows = world.rows(heard)
    assert rows.outcomes == ["ok"] and not rows.attempts[0]["estimated"]


def test_a_stream_without_finish_reason_is_not(world: FaultWorld, pair: Pair) -> None:
    pair.fault(kind="no_finish")
    assert_broken_off(world.ask(pair.one, stream=True))


def test_usage_is_told_only_to_who_asked_and_carries_the_cost(world: FaultWorld, pair: Pair) -> None:
    asked = world.ask(pair.one, stream=True, stream_options={"include_usage": True})
    assert asked.whole and asked.body["choices"] == []
    cost_nano_usd = world.rows(asked).request["cost_nano_usd"]
    assert asked.body["usage"]["cost"] == pytest.approx(cost_nano_usd / 1e9)
    silent = world.ask(pair.one, stream=True)
    assert silent.whole and not silent.body.get("usage")
    assert world.rows(silent).request["cost_nano_usd"] == cost_nano_usd


@pytest.mark.parametrize("kind", ["truncated_body", "html_200", "empty_200", "wrong_json"])
def test_a_spoilt_body_is_repeated(world: FaultWorld, pair: Pair, kind: str) -> None:
    pair.fault(kind=kind, times=1)
    heard = world.ask(pair.both, stream=False)
    assert heard.whole and heard.headers["x-interchange-attempts"] == "2"
    assert world.rows(heard).outcomes[1] == "ok"


@pytest.mark.parametrize("fault", [*CUTS[1:], *IN_BAND, STALL])
def test_a_cut_answer_is_continued_by_another_provider(
    world: FaultWorld, pair: Pair, fault: dict[str, Any]
) -> None:
    pair.fault(tokens=CUT_AT, **fault)
    heard = world.ask(pair.continued, stream=True, stream_options={"include_usage": True})
    assert heard.whole and heard.done, "no character repeated, none lost"
    (continuing,) = pair.asked(pair.b)
    said = continuing.body["messages"][-1]
    assert (said["role"], said["content"]) == ("assistant", beginning(CUT_AT))
    rows = world.rows(heard)
    assert rows.request["continued"] and rows.request["outcome"] == "ok"
    assert rows.request["provider"] == pair.b and rows.outcomes[1] == "ok"
    assert [row["provider"] for row in rows.attempts] == [pair.a, pair.b]
    costs = [row["cost_nano_usd"] for row in rows.attempts]
    assert rows.request["cost_nano_usd"] == sum(costs)
    assert heard.body["usage"]["cost"] == pytest.approx(sum(costs) / 1e9)


def test_a_fallback_that_rejects_prefill_starts_anew(world: FaultWorld, pair: Pair) -> None:
    pair.fault(kind="cut_after", how="close", tokens=CUT_AT, times=1)
    heard = world.ask(pair.rejecting, stream=True)
    assert heard.whole, "the next way to continue is taken"
    rows = world.rows(heard)
    assert rows.outcomes == ["network", "caller_fault", "ok"]
    assert [row["provider"] for row in rows.attempts] == [pair.a, pair.b, pair.a]


def test_a_fallback_that_says_the_end_again_is_not_believed(world: FaultWorld, pair: Pair) -> None:
    pair.fault(kind="cut_after", how="close", tokens=CUT_AT, times=1)
    heard = world.ask(pair.repeating, stream=True)
    assert heard.whole, "no character is repeated"
    assert world.rows(heard).outcomes == ["network", "bad_response", "ok"]


def test_an_answer_nobody_can_continue_is_an_explicit_error(world: FaultWorld, pair: Pair) -> None:
    pair.fault(kind="cut_after", how="close", tokens=CUT_AT)
    pair.fault(provider=pair.b, kind="status", status=503)
    heard = world.ask(pair.continued, stream=True)
    assert_broken_off(heard)
    rows = world.rows(heard)
    assert rows.request["outcome"] == "cut" and "ok" not in rows.outcomes


def test_where_nobody_takes_a_prefill_the_same_answer_is_told_again_up_to_the_cut(
    world: FaultWorld, pair: Pair
) -> None:
    pair.fault(kind="cut_after", how="close", tokens=CUT_AT)
    heard = world.ask(pair.restarting, stream=True)
    assert heard.whole
    (continuing,) = pair.asked(pair.b)
    assert continuing.body["messages"] == PROMPT["messages"]
    rows = world.rows(heard)
    assert rows.request["continued"] and rows.request["provider"] == pair.b
    assert rows.outcomes == ["network", "ok"]


def test_another_text_is_not_glued_on(world: FaultWorld, pair: Pair) -> None:
    pair.fault(kind="cut_after", how="close", tokens=CUT_AT)
    other = "Something else altogether, and much longer than what was said before. " * 10
    world.on_simulator(lambda sim: sim.answer(text=other, match={"provider": pair.b}))
    world.on_simulator(lambda sim: sim.latency(per_token_ms=20, match={"provider": pair.b}))
    heard = world.ask(pair.restarting, stream=True)
    assert_broken_off(heard)
    assert heard.text == beginning(CUT_AT)
    rows = world.rows(heard)
    assert rows.outcomes == ["network", "bad_response", "network"]
    assert rows.request["outcome"] == "cut"
    assert pair.eventually_left_early(pair.b), "an answer of no use is not paid for to its end"
    state = world.live_of(f"{pair.b}/plain")
    assert state.breaker._consecutive == 0, "to say something else is no failure of a provider"


def test_whoever_leaves_ends_the_call_at_the_provider(world: FaultWorld, pair: Pair, stream: bool) -> None:
    pair.fault(kind="stall_after" if stream else "silence", tokens=CUT_AT)
    request_id = f"leaving-{world.stack.url[-4:]}-{stream}"
    with pytest.raises(httpx.ReadTimeout), world.stack.client() as client:
        ask = {"model": pair.one, "stream": stream, **PROMPT}
        client.post("/v1/chat/completions", json=ask, timeout=0.25, headers={"x-request-id": request_id})
    assert pair.eventually_left_early()
    rows = world.rows_of(request_id)
    assert (rows.request["outcome"], rows.request["status"]) == ("cancelled", 499)
    assert rows.outcomes == ["cancelled"] and rows.attempts[0]["estimated"]
    assert len(pair.asked()) == 1


def test_whoever_leaves_while_we_wait_ends_the_waiting(world: FaultWorld, pair: Pair, stream: bool) -> None:
    pair.fault(kind="status", status=429, retry_after_s=1)
    request_id = f"waiting-{world.stack.url[-4:]}-{stream}"
    with pytest.raises(httpx.ReadTimeout), world.stack.client() as client:
        ask = {"model": pair.one, "stream": False, **PROMPT}
        client.post("/v1/chat/completions", json=ask, timeout=0.3, headers={"x-request-id": request_id})
    assert not world.eventually(lambda: len(pair.asked()) > 1, within_s=1.5), "no call after the caller left"
    rows = world.rows_of(request_id)
    assert rows.request["outcome"] == "cancelled" and rows.outcomes == ["rate_limit"]
