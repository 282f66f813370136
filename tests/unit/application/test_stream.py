"""Streams from their first content to their end: whole, explicitly broken, or finished elsewhere."""

import asyncio
from dataclasses import replace
from typing import cast

import pytest

from adapters.memory.scripted_llm import Break, Script
from application.next_targets import continuations
from application.ports.llm import Block
from application.protection import Protection
from application.stream import TRAILER_WAIT_S
from domain.errors import StreamCut
from domain.llm.continuation import ContinuationMode
from domain.llm.failures import FailureKind
from domain.llm.stream import ContentKind
from domain.llm.usage import Usage
from domain.resilience.breaker import BreakerState
from domain.routing.target import StreamRecovery
from tests.unit.application.upstreams import (
    CONTINUE,
    OK,
    TIMEOUTS,
    Bench,
    broken,
    outcomes,
    refused,
    virtually,
)

A, B, C = "alpha/m", "beta/m", "gamma/other"
WHOLE = "one two three"
ANY_BREAK = pytest.mark.parametrize("how", list(Break), ids=lambda how: how.value)


async def cut_of(bench: Bench, **job: bool) -> tuple[StreamCut, str, list[str]]:
    """The error, what was heard before it, and the outcomes of the attempts."""
    planned, pieces = bench.job(stream=True, **job), list[str]()
    with pytest.raises(StreamCut) as caught:
        await bench.heard(planned, pieces)
    return caught.value, "".join(pieces), outcomes(planned)


@ANY_BREAK
@virtually
async def test_a_break_after_the_first_content_is_never_a_quiet_end(how: Break) -> None:
    bench = Bench({A: broken(how, 2), B: OK})
    error, heard, ended = await cut_of(bench)
    assert error.code == "stream_interrupted" and error.details["kind"] == ended[0]
    assert heard == "one two " and bench.asked() == [A]
    assert bench.state(A).breaker._consecutive == 1
    bench.assert_nothing_left()


@ANY_BREAK
@virtually
async def test_a_break_before_the_first_content_is_never_seen(how: Break) -> None:
    bench = Bench({A: broken(how, 0), B: OK})
    job = bench.job(stream=True)
    assert await bench.streamed(job) == WHOLE
    assert job.answered_by is not None and job.answered_by.id == B and "ok" not in outcomes(job)[:-1]
    bench.assert_nothing_left()


@virtually
async def test_a_stall_ends_at_the_idle_limit() -> None:
    bench = Bench({A: broken(Break.STALL, 2)})
    began_s = bench.clock.monotonic()
    _, _, ended = await cut_of(bench)
    assert ended == ["timeout"] and bench.clock.monotonic() - began_s == pytest.approx(TIMEOUTS.idle_s)


@virtually
async def test_pings_show_that_a_slow_stream_is_alive() -> None:
    bench = Bench({A: Script(text=WHOLE, token_s=3 * TIMEOUTS.idle_s, pings_every_s=1.0)})
    assert await bench.streamed(bench.job(stream=True)) == WHOLE


@virtually
async def test_a_stream_ends_at_its_deadline_however_alive_it_is() -> None:
    bench = Bench({A: Script(text="word " * 200, token_s=1.0)}, **CONTINUE)
    began_s = bench.clock.monotonic()
    _, heard, ended = await cut_of(bench)
    assert heard and ended == ["timeout"]
    assert bench.clock.monotonic() - began_s <= TIMEOUTS.stream_total_s
    bench.assert_nothing_left()


@pytest.mark.parametrize(
    "end",
    [
        {"terminator": False},
        {"finish_reason": None},
        {"terminator": False, "trailer_s": 0.0, "cut_after_finish": True},
    ],
    ids=["no end marker", "no finish reason", "cut after the finish reason"],
)
@virtually
async def test_a_stream_with_a_finish_reason_or_an_end_marker_is_complete(end: dict[str, object]) -> None:
    bench = Bench({A: Script(**{"text": WHOLE, **end})})  # type: ignore[arg-type]
    job = bench.job(stream=True)
    assert await bench.streamed(job) == WHOLE
    assert outcomes(job) == ["ok"] and job.finish_reason == "stop"
    bench.assert_nothing_left()


@virtually
async def test_a_stream_with_neither_is_cut() -> None:
    bench = Bench({A: Script(text=WHOLE, finish_reason=None, terminator=False)})
    _, heard, ended = await cut_of(bench)
    assert (heard, ended) == (WHOLE, ["network"])


@virtually
async def test_a_late_end_marker_is_not_waited_for_for_ever() -> None:
    silent_end = Script(text=WHOLE, terminator=False)
    bench = Bench({A: silent_end})
    job, began_s = bench.job(stream=True), bench.clock.monotonic()
    stream = await bench.loop.open(job, bench.live)
    opened = stream._current
    assert opened is not None
    read = opened.stream.next_block

    async def stalling() -> object:
        block = await read()
        if block is None:
            await asyncio.sleep(1000)
        return block

    opened.stream.next_block = stalling  # type: ignore[method-assign, assignment]
    while await stream.next_block() is not None:
        pass
    assert bench.clock.monotonic() - began_s == pytest.approx(TRAILER_WAIT_S)
    assert outcomes(job) == ["ok"]


@virtually
async def test_a_provider_silent_after_its_finish_reason_takes_no_closing_frame_away() -> None:
    bench = Bench({A: Script(text=WHOLE, terminator=False)})
    job = bench.job(stream=True)
    stream = await bench.loop.open(job, bench.live)
    opened = stream._current
    assert opened is not None
    read = opened.stream.next_block

    async def stalling() -> object:
        block = await read()
        if block is None:
            await asyncio.sleep(1000)
        return block

    opened.stream.next_block = stalling  # type: ignore[method-assign, assignment]
    opened.stream.conclude = lambda: Block(b"closing", ())  # type: ignore[method-assign]
    raws = []
    while (block := await stream.next_block()) is not None:
        raws.append(block.raw)
    assert raws[-1] == b"closing" and outcomes(job) == ["ok"]
    bench.assert_nothing_left()


@virtually
async def test_usage_and_its_cost_are_told_in_the_last_chunk_to_who_asked() -> None:
    bench = Bench({A: Script(text=WHOLE, usage=Usage(1000, 500))})
    job = bench.job(stream=True, include_usage=True)
    stream = await bench.loop.open(job, bench.live)
    blocks = []
    while (block := await stream.next_block()) is not None:
        blocks.append(block)
    assert b'"cost":0.002' in blocks[-1].raw.replace(b" ", b"")
    assert job.cost_nano_usd == 2_000_000 and not job.cost_estimated


@virtually
async def test_without_usage_the_answer_is_counted_and_flagged() -> None:
    bench = Bench({A: OK})
    job = bench.job(stream=True)
    await bench.streamed(job)
    assert job.cost_estimated and job.attempts[0].output_tokens == -(-len(WHOLE) // 4)


@virtually
async def test_whoever_leaves_a_stream_pays_for_what_was_said() -> None:
    bench = Bench({A: Script(text=WHOLE, token_s=1.0)})
    job = bench.job(stream=True)
    stream = await bench.loop.open(job, bench.live)
    await stream.next_block()
    stream.close()
    stream.close()
    assert await stream.next_block() is None
    assert outcomes(job) == ["cancelled"] and job.cost_estimated
    assert bench.calls()[0].outcome == "left"
    assert bench.state(A).breaker._consecutive == 0
    bench.assert_nothing_left()


@pytest.mark.parametrize("probes", [1, 2])
@virtually
async def test_a_probe_is_answered_by_the_first_content_and_only_once(probes: int) -> None:
    failing = refused(FailureKind.SERVER_ERROR, status=500)
    bench = Bench({A: [failing] * 3 + [broken(Break.CUT, 2, token_s=1.0), OK]}, retries=0, probes=probes)
    for _ in range(3):
        with pytest.raises(Exception, match="scripted"):
            await bench.streamed(bench.job(stream=True))
    await asyncio.sleep(10)
    stream = await bench.loop.open(bench.job(stream=True), bench.live)
    breaker = bench.state(A).breaker
    expected = BreakerState.CLOSED if probes == 1 else BreakerState.HALF_OPEN
    assert breaker.state(bench.clock.monotonic()) is expected and breaker._probes_live == 0
    with pytest.raises(StreamCut):
        while await stream.next_block() is not None:
            pass
    assert breaker.state(bench.clock.monotonic()) is expected, "the probe's answer was given already"
    assert await bench.streamed(bench.job(stream=True)) == WHOLE
    assert breaker.state(bench.clock.monotonic()) is BreakerState.CLOSED
    bench.assert_nothing_left()


# Finishing elsewhere


@pytest.mark.parametrize("after", [1, 2, 3])
@ANY_BREAK
@virtually
async def test_a_prefill_finishes_a_broken_text_exactly(how: Break, after: int) -> None:
    bench = Bench({A: broken(how, after), C: replace(OK, usage=Usage(10, 5))}, prefill=[C], **CONTINUE)
    job = bench.job(stream=True)
    assert await bench.streamed(job) == WHOLE
    assert bench.calls()[1].continue_from == "".join(["one ", "two ", "three"][:after]).rstrip()
    assert job.continued and job.answered_by is not None and job.answered_by.id == C
    assert outcomes(job)[1] == "ok" and len(job.attempts) == 2
    assert bench.failovers[-1].reason == "stream_interrupted"
    bench.assert_nothing_left()


@virtually
async def test_a_restart_finishes_it_where_the_same_text_comes_again() -> None:
    bench = Bench({A: broken(Break.CUT, 2), B: OK}, **CONTINUE)
    job = bench.job(stream=True)
    assert await bench.streamed(job) == WHOLE
    assert bench.calls()[1].continue_from is None and outcomes(job) == ["network", "ok"]


@virtually
async def test_another_text_is_refused_without_blaming_who_said_it() -> None:
    bench = Bench({A: broken(Break.CUT, 2), B: Script(text="something else")}, **CONTINUE)
    _, heard, ended = await cut_of(bench)
    assert heard == "one two "
    assert ended == ["network", "bad_response", "network"], "then the broken one itself was tried again"
    assert bench.state(B).breaker._consecutive == 0
    bench.assert_nothing_left()


@virtually
async def test_a_shorter_text_is_refused() -> None:
    bench = Bench({A: broken(Break.CUT, 2), B: Script(text="one")}, **CONTINUE)
    _, heard, ended = await cut_of(bench)
    assert heard == "one two " and ended[1] == "bad_response"


@virtually
async def test_a_fallback_that_rejects_the_prefill_is_followed_by_the_next_way() -> None:
    rejecting = refused(FailureKind.CALLER_FAULT, status=400)
    bench = Bench({A: broken(Break.CUT, 2), C: rejecting, B: OK}, prefill=[C], **CONTINUE)
    job = bench.job(stream=True)
    assert await bench.streamed(job) == WHOLE
    assert bench.asked() == [A, C, B] and outcomes(job) == ["network", "caller_fault", "ok"]


@virtually
async def test_a_continuation_that_breaks_is_continued_in_turn() -> None:
    bench = Bench({A: broken(Break.CUT, 1), B: broken(Break.CUT, 1), C: OK}, prefill=[B, C], **CONTINUE)
    job = bench.job(stream=True)
    assert await bench.streamed(job) == WHOLE
    assert bench.asked() == [A, B, C]


@virtually
async def test_held_text_and_finish_are_told_though_the_continuation_breaks_after_its_finish() -> None:
    said = "a text of more than sixteen characters "
    tail = "a te"
    bench = Bench(
        {
            A: broken(Break.CUT, 7, text=said + tail),
            C: Script(text=said + tail, terminator=False, cut_after_finish=True),
        },
        prefill=[C],
        **CONTINUE,
    )
    job = bench.job(stream=True)
    stream = await bench.loop.open(job, bench.live)
    raw = b""
    while (block := await stream.next_block()) is not None:
        raw += block.raw
    assert raw.count(b'"finish_reason":"stop"') == 1
    assert outcomes(job) == ["network", "ok"]
    assert raw.endswith(b"\n\n") and b"te" in raw.rpartition(b'"content"')[2]


@pytest.mark.parametrize("kind", [ContentKind.TOOL_CALL, ContentKind.REFUSAL, ContentKind.REASONING])
@virtually
async def test_only_text_is_continued(kind: ContentKind) -> None:
    bench = Bench({A: broken(Break.CUT, 2, kind=kind), B: OK}, prefill=[B], **CONTINUE)
    await cut_of(bench)
    assert bench.asked() == [A]


@virtually
async def test_a_request_with_tools_is_not_continued() -> None:
    bench = Bench({A: broken(Break.CUT, 2), B: OK}, prefill=[B], **CONTINUE)
    await cut_of(bench, tools=True)
    assert bench.asked() == [A]


@virtually
async def test_white_space_alone_is_not_given_as_prefill() -> None:
    text = "\n one two"
    bench = Bench({A: broken(Break.CUT, 1, text=text), B: Script(text=text)}, prefill=[B], **CONTINUE)
    assert await bench.streamed(bench.job(stream=True)) == text
    assert bench.calls()[1].continue_from is None


@virtually
async def test_nothing_is_continued_after_the_deadline() -> None:
    late = Script(text=WHOLE, token_s=1.0, broken=Break.STALL, broken_after=2)
    timeouts = TIMEOUTS._replace(idle_s=1000)
    bench = Bench({A: late, B: OK}, prefill=[B], timeouts=timeouts, **CONTINUE)
    await cut_of(bench)
    assert bench.asked() == [A]


@virtually
async def test_whoever_leaves_during_a_continuation_gives_everything_back() -> None:
    bench = Bench({A: broken(Break.CUT, 2), B: Script(text=WHOLE, first_token_s=3)}, prefill=[B], **CONTINUE)
    job = bench.job(stream=True)
    hearing = asyncio.create_task(bench.heard(job, []))
    await asyncio.sleep(1)
    hearing.cancel()
    await asyncio.wait((hearing,))
    assert outcomes(job) == ["network", "cancelled"]
    bench.assert_nothing_left()


@virtually
async def test_a_failed_hop_does_not_end_a_way_to_finish() -> None:
    hop = refused(FailureKind.NETWORK, at_gateway=True, sent=False)
    bench = Bench({A: OK, B: OK}, gateway={A: broken(Break.CUT, 2), B: [hop, OK]}, prefill=[B], **CONTINUE)
    job = bench.job(stream=True)
    assert await bench.streamed(job) == WHOLE
    assert bench.asked() == [A, B, B] and outcomes(job) == ["network", "network", "ok"]
    assert bench.state(B).breaker._consecutive == 0


@virtually
async def test_ways_to_finish_come_most_promising_first() -> None:
    bench = Bench({A: OK, B: OK, C: OK}, prefill=[A, C], stream_recovery=StreamRecovery.CONTINUE)
    job = bench.job(stream=True)
    broken_one = job.plan.targets[0]
    ways = [(target.id, mode) for target, mode in continuations(job, broken_one)]
    prefill, restart = ContinuationMode.PREFILL, ContinuationMode.RESTART
    assert ways == [(C, prefill), (A, prefill), (B, restart), (A, restart), (C, restart)]
    job.protections.append(cast(Protection, object()))  # what was said was not read yet
    ways = [(target.id, mode) for target, mode in continuations(job, broken_one)]
    assert ways == [(A, prefill), (B, restart), (A, restart), (C, restart)]
