"""The attempt loop: who is asked, how often, when, and what is left behind."""

import asyncio
from dataclasses import replace

import pytest

from adapters.memory.scripted_llm import Script
from domain.errors import DeadlineExceeded, NoProviderAvailable, UpstreamError
from domain.llm.failures import FailureKind
from domain.llm.usage import Usage
from domain.resilience.breaker import BreakerState
from domain.resilience.retry_budget import RetryBudget
from domain.routing.target import Via
from tests.unit.application.upstreams import OK, TIMEOUTS, Bench, outcomes, refused, virtually

BOTH = pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
A, B, C = "alpha/m", "beta/m", "gamma/m"


async def answer(bench: Bench, *, stream: bool) -> str:
    job = bench.job(stream=stream)
    return await (bench.streamed(job) if stream else bench.answered(job))


async def error_of(bench: Bench, *, stream: bool) -> UpstreamError:
    with pytest.raises(UpstreamError) as caught:
        await answer(bench, stream=stream)
    return caught.value


@BOTH
@virtually
async def test_a_healthy_target_is_asked_once_and_billed(stream: bool) -> None:
    bench = Bench({A: replace(OK, usage=Usage(1000, 500)), B: OK})
    job = bench.job(stream=stream)
    said = await (bench.streamed(job) if stream else bench.answered(job))
    assert said == OK.text and bench.asked() == [A]
    assert job.answered_by is not None and job.answered_by.id == A and job.via == "direct"
    assert (outcomes(job), job.cost_nano_usd, job.cost_estimated) == (["ok"], 2_000_000, False)
    assert job.finish_reason == "stop" and job.fallbacks == 0
    bench.assert_nothing_left()


@BOTH
@virtually
async def test_a_passing_failure_is_repeated_quickly_then_left_for_the_next(stream: bool) -> None:
    bench = Bench({A: refused(FailureKind.SERVER_ERROR, status=500), B: OK})
    job = bench.job(stream=stream)
    await (bench.streamed(job) if stream else bench.answered(job))
    assert bench.asked() == [A, A, B]
    starts = [call.started_s for call in bench.calls()]
    assert starts[-1] - starts[0] <= 0.06, "failover is due within 50 ms"
    assert outcomes(job) == ["server_error", "server_error", "ok"]
    assert [attempt.cost_nano_usd == 0 for attempt in job.attempts[:2]] == [True, True]
    assert [happened.fallback_provider for happened in bench.failovers] == ["beta"]
    assert job.fallbacks == 1
    bench.assert_nothing_left()


@BOTH
@virtually
async def test_the_only_target_is_repeated_until_the_retries_are_spent(stream: bool) -> None:
    bench = Bench({A: refused(FailureKind.OVERLOADED, status=503)}, retries=2)
    error = await error_of(bench, stream=stream)
    assert error.code == "upstream_overloaded" and error.attempts == 3
    assert bench.asked() == [A, A, A]


@BOTH
@virtually
async def test_a_rate_limit_of_the_only_target_is_waited_out(stream: bool) -> None:
    bench = Bench({A: [refused(FailureKind.RATE_LIMIT, status=429, retry_after_s=3.0), OK]})
    job = bench.job(stream=stream)
    assert await (bench.streamed(job) if stream else bench.answered(job)) == OK.text
    assert bench.clock.monotonic() - job.started - job.upstream_s == pytest.approx(0, abs=1e-6)
    first, second = bench.calls()
    assert second.started_s - (first.ended_s or 0.0) >= 3.0
    assert bench.state(A).breaker._consecutive == 0, "a rate limit is not ill health"


@BOTH
@virtually
async def test_waits_for_one_target_end_after_a_quarter_of_a_minute(stream: bool) -> None:
    bench = Bench({A: refused(FailureKind.RATE_LIMIT, status=429, retry_after_s=6.0)}, retries=9)
    began_s = bench.clock.monotonic()
    error = await error_of(bench, stream=stream)
    assert bench.clock.monotonic() - began_s <= 15.1 and len(bench.calls()) == 3
    assert error.retry_after_s == pytest.approx(6.0)


@BOTH
@virtually
async def test_a_long_retry_after_is_told_at_once(stream: bool) -> None:
    bench = Bench({A: refused(FailureKind.RATE_LIMIT, status=429, retry_after_s=300.0)})
    began_s = bench.clock.monotonic()
    error = await error_of(bench, stream=stream)
    assert bench.clock.monotonic() == began_s and len(bench.calls()) == 1
    assert error.retry_after_s == pytest.approx(300.0)


@virtually
async def test_what_another_caller_was_told_holds_for_this_one_too() -> None:
    short, long = (refused(FailureKind.RATE_LIMIT, status=429, retry_after_s=s) for s in (1.0, 5.0))
    bench = Bench({A: [replace(short, latency_s=1.0), replace(long, latency_s=0.5), OK]})
    answers = await asyncio.gather(*(bench.answered(bench.job()) for _ in range(2)), return_exceptions=True)
    told_s = min(call.ended_s or 0.0 for call in bench.calls())
    third = sorted(call.started_s for call in bench.calls())[2]
    assert third >= told_s + 5.0, "nobody comes back before the latest of all the times"
    assert OK.text in answers


@virtually
async def test_a_rate_limit_is_not_waited_out_while_another_can_answer() -> None:
    bench = Bench({A: refused(FailureKind.RATE_LIMIT, status=429, retry_after_s=1.0), B: OK})
    assert await answer(bench, stream=False) == OK.text
    assert bench.asked() == [A, B]
    assert bench.job().plan.targets[0].id == B, "the first one is left alone for its second"


@virtually
async def test_an_overloaded_target_that_names_a_time_is_left_alone_so_long_by_everybody() -> None:
    bench = Bench({A: refused(FailureKind.OVERLOADED, status=503, retry_after_s=8.0), B: OK})
    for _ in range(3):
        assert await answer(bench, stream=False) == OK.text
    assert bench.asked() == [A, B, B, B]
    await asyncio.sleep(8)
    await answer(bench, stream=False)
    assert bench.asked()[4:] == [A, B]


@virtually
async def test_an_empty_account_rests_for_a_minute() -> None:
    bench = Bench({A: [refused(FailureKind.QUOTA, status=429), OK]})
    error = await error_of(bench, stream=False)
    assert error.retry_after_s == pytest.approx(60) and len(bench.calls()) == 1
    with pytest.raises(NoProviderAvailable):
        bench.job()


@BOTH
@pytest.mark.parametrize("kind", [FailureKind.CONTENT_POLICY, FailureKind.CALLER_FAULT])
@virtually
async def test_the_callers_fault_ends_it_and_says_nothing_of_the_provider(
    kind: FailureKind, stream: bool
) -> None:
    bench = Bench({A: refused(kind, status=400), B: OK})
    error = await error_of(bench, stream=stream)
    assert error.code == f"upstream_{kind.value}"
    assert bench.asked() == [A] and bench.state(A).breaker._consecutive == 0
    bench.assert_nothing_left()


@BOTH
@virtually
async def test_a_too_long_prompt_goes_to_larger_windows_only_planned_or_spare(stream: bool) -> None:
    windows = {A: 8_000, B: 4_000, C: 100_000}
    bench = Bench(
        {A: refused(FailureKind.CONTEXT_LENGTH, status=400), B: OK, C: OK}, windows=windows, fallbacks=1
    )
    assert await answer(bench, stream=stream) == OK.text
    assert bench.asked() == [A, C]


@virtually
async def test_a_prompt_too_long_for_all_is_the_callers_error() -> None:
    bench = Bench({A: refused(FailureKind.CONTEXT_LENGTH, status=400), B: OK}, windows={A: 8_000, B: 8_000})
    error = await error_of(bench, stream=False)
    assert error.code == "upstream_context_length" and bench.asked() == [A]


@BOTH
@virtually
async def test_silence_is_left_at_the_first_token_limit_or_with_time_for_the_fallback(stream: bool) -> None:
    bench = Bench({A: Script(silent=True), B: OK}, timeouts=TIMEOUTS._replace(headers_s=30))
    began_s = bench.clock.monotonic()
    if stream:
        assert await answer(bench, stream=True) == OK.text
        assert bench.clock.monotonic() - began_s == pytest.approx(TIMEOUTS.first_token_s)
    else:
        # Half of the time, at least the first-token limit: the rest is the fallback's.
        assert await answer(bench, stream=False) == OK.text
        share_s = max(TIMEOUTS.total_s / 2, TIMEOUTS.first_token_s)
        assert bench.clock.monotonic() - began_s == pytest.approx(share_s)
    assert bench.calls()[0].outcome in ("left", "failed")
    bench.assert_nothing_left()


@virtually
async def test_pings_do_not_stand_for_a_first_token() -> None:
    bench = Bench({A: Script(text="late", first_token_s=30, pings_every_s=0.5), B: OK})
    assert await answer(bench, stream=True) == OK.text
    assert bench.asked() == [A, B]


@BOTH
@virtually
async def test_whoever_leaves_gives_everything_back_and_leaves_a_row(stream: bool) -> None:
    bench = Bench({A: Script(silent=True)}, timeouts=TIMEOUTS._replace(first_token_s=30, headers_s=30))
    job = bench.job(stream=stream)
    calling = asyncio.create_task(bench.streamed(job) if stream else bench.answered(job))
    await asyncio.sleep(1)
    calling.cancel()
    await asyncio.wait((calling,))
    assert calling.cancelled() and bench.calls()[0].outcome == "left"
    assert outcomes(job) == ["cancelled"]
    assert job.cost_estimated and (job.cost_nano_usd or 0) > 0, "the provider may bill what it began"
    bench.assert_nothing_left()


@virtually
async def test_whoever_leaves_while_we_wait_causes_no_further_call() -> None:
    bench = Bench({A: [refused(FailureKind.RATE_LIMIT, status=429, retry_after_s=5.0), OK]})
    calling = asyncio.create_task(bench.answered(bench.job()))
    await asyncio.sleep(2)
    calling.cancel()
    await asyncio.sleep(10)
    assert len(bench.calls()) == 1
    bench.assert_nothing_left()


@BOTH
@virtually
async def test_an_open_breaker_takes_one_probe_which_leavers_give_back(stream: bool) -> None:
    failing = refused(FailureKind.SERVER_ERROR, status=500)
    bench = Bench({A: [failing, failing, failing, Script(silent=True), OK], B: OK}, retries=0)
    for _ in range(3):
        await answer(bench, stream=stream)
    breaker = bench.state(A).breaker
    assert breaker.state(bench.clock.monotonic()) is BreakerState.OPEN
    await answer(bench, stream=stream)
    assert bench.asked() == [A, B] * 3 + [B], "an open breaker is not asked"
    await asyncio.sleep(10)
    job = bench.job(stream=stream)
    probing = asyncio.create_task(bench.streamed(job) if stream else bench.answered(job))
    await asyncio.sleep(1)
    await answer(bench, stream=stream)
    assert bench.asked()[-2:] == [A, B], "one probe at a time"
    probing.cancel()
    await asyncio.wait((probing,))
    assert await answer(bench, stream=stream) == OK.text
    assert bench.asked()[-1] == A and breaker.state(bench.clock.monotonic()) is BreakerState.CLOSED
    bench.assert_nothing_left()


@virtually
async def test_a_failed_probe_moves_on_within_the_request() -> None:
    bench = Bench({A: refused(FailureKind.SERVER_ERROR, status=500), B: OK}, retries=0)
    for _ in range(3):
        await answer(bench, stream=False)
    await asyncio.sleep(10)
    job = bench.job()
    assert await bench.answered(job) == OK.text
    assert outcomes(job) == ["server_error", "ok"]
    assert not bench.state(A).breaker.would_admit(bench.clock.monotonic())


@virtually
async def test_a_target_whose_breaker_opened_since_the_plan_is_counted_as_skipped_for_that() -> None:
    bench = Bench({A: OK, B: OK})
    job = bench.job()
    breaker, now = bench.state(A).breaker, bench.clock.monotonic()
    while breaker.would_admit(now):
        breaker.record(breaker.try_acquire(now=now), ok=False, now=now)  # type: ignore[arg-type]
    assert await bench.answered(job) == OK.text
    assert (bench.asked(), job.skipped, job.breaker_skips) == ([B], 1, 1)


@virtually
async def test_a_breaker_that_opens_meanwhile_ends_the_repeats() -> None:
    bench = Bench({A: refused(FailureKind.SERVER_ERROR, status=500)}, retries=9)
    error = await error_of(bench, stream=False)
    assert error.attempts == 3, "the third failure in a row opens it"


@virtually
async def test_targets_closed_since_the_plan_are_passed_over() -> None:
    bench = Bench({A: OK, B: OK})
    job = bench.job()
    bench.state(A).cool_down(bench.clock.monotonic() + 7)
    assert await bench.answered(job) == OK.text
    assert (bench.asked(), job.skipped, job.fallbacks, job.breaker_skips) == ([B], 1, 1, 0)
    both = bench.job()
    bench.state(B).cool_down(bench.clock.monotonic() + 3)
    with pytest.raises(NoProviderAvailable) as caught:
        await bench.answered(both)
    assert caught.value.retry_after_s == pytest.approx(3)


@virtually
async def test_a_spent_retry_budget_ends_repeats_but_not_failover() -> None:
    failing = refused(FailureKind.SERVER_ERROR, status=500)
    none = RetryBudget(ratio=0.0, floor_per_s=0.0)
    bench = Bench({A: failing, B: failing, C: OK}, retry_budget=none)
    assert await answer(bench, stream=False) == OK.text
    assert bench.asked() == [A, B, C]


@virtually
async def test_no_attempt_begins_after_the_deadline() -> None:
    bench = Bench({A: OK})
    job = bench.job()
    await asyncio.sleep(TIMEOUTS.total_s)
    with pytest.raises(DeadlineExceeded):
        await bench.answered(job)
    assert not bench.calls()


@BOTH
@virtually
async def test_a_failed_hop_is_no_failure_of_the_target(stream: bool) -> None:
    hop = refused(FailureKind.NETWORK, at_gateway=True, sent=False)
    up = [True]
    bench = Bench({A: OK}, gateway={A: hop}, gateway_up=lambda: up[0])
    job = bench.job(stream=stream)
    bench.gateway.reaches = lambda _: not bench.gateway.calls  # type: ignore[union-attr, method-assign]
    said = await (bench.streamed(job) if stream else bench.answered(job))
    assert said == OK.text
    assert [attempt.via for attempt in job.attempts] == ["gateway", "direct"]
    assert outcomes(job) == ["network", "ok"] and job.attempts[0].cost_nano_usd == 0
    state = bench.state(A)
    assert state.breaker._consecutive == 0
    assert bench.live.providers["alpha"].health.snapshot(bench.clock.monotonic()).samples == 1
    assert job.fallbacks == 0 and job.via == "direct"


@virtually
async def test_a_gateway_that_keeps_failing_is_given_up_after_a_few_hops() -> None:
    hop = refused(FailureKind.NETWORK, at_gateway=True, sent=False)
    bench = Bench({A: OK, B: OK}, gateway={A: hop, B: OK}, via=Via.PORTKEY, retries=0)
    job = bench.job()
    assert await bench.answered(job) == OK.text
    assert bench.asked() == [A] * 4 + [B] and job.via == "gateway"
    assert bench.state(A).breaker._consecutive == 0


@virtually
async def test_without_any_way_the_target_is_not_planned() -> None:
    bench = Bench({A: OK}, gateway={A: OK}, gateway_up=lambda: False, via=Via.PORTKEY)
    with pytest.raises(NoProviderAvailable):
        bench.job()


@virtually
async def test_a_way_that_goes_away_while_we_wait_ends_with_the_last_failure() -> None:
    up = [True]
    hop = refused(FailureKind.NETWORK, at_gateway=True, sent=False)
    bench = Bench(
        {A: OK}, gateway={A: replace(hop, latency_s=1.0)}, gateway_up=lambda: up[0], via=Via.PORTKEY
    )
    job = bench.job()
    calling = asyncio.create_task(bench.answered(job))
    await asyncio.sleep(0.5)
    up[0] = False
    with pytest.raises(UpstreamError) as caught:
        await calling
    assert caught.value.failure.at_gateway and len(bench.calls()) == 1
