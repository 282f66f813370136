"""Attempts at a provider with several keys: who takes over, what a retry is, and whom a failure blames."""

import asyncio

import pytest

from adapters.memory.scripted_llm import Script
from application.affinity import moved_from
from application.credentials import admit_own
from domain.errors import InvalidRequest, NoProviderAvailable, UpstreamError
from domain.llm.failures import FailureKind
from domain.llm.request import Home
from domain.resilience.key_pool import KeyPool, PoolKey
from domain.routing.conversation import Conversation, Place
from domain.routing.target import Passthrough, Route
from tests.unit.application.test_homes import Recording, answered
from tests.unit.application.upstreams import OK, refused, virtually

A, B = "alpha/m", "beta/m"
LIMITED = refused(FailureKind.RATE_LIMIT, status=429, retry_after_s=20.0)
BROKEN = refused(FailureKind.OVERLOADED, status=503)


def pooled(bench: Recording, *keys: PoolKey) -> KeyPool:
    pool = bench.live.providers["alpha"].keys = KeyPool(keys)
    return pool


def keys_used(bench: Recording) -> list[str]:
    return [call.credential for call in bench.seen]


@pytest.mark.parametrize("stream", [False, True])
def test_another_key_takes_over_at_once_and_no_retry_is_spent(stream: bool) -> None:
    @virtually
    async def run() -> None:
        bench = Recording({A: [LIMITED, BROKEN, OK], B: OK}, retries=1)
        pool = pooled(bench, PoolKey("one"), PoolKey("two"))
        job = bench.job(stream=stream)
        asked_at = asyncio.get_running_loop().time()

        await answered(bench, job)

        first, second, third = keys_used(bench)
        assert {first, second} == {"one", "two"}
        assert (job.credential, job.fallbacks) == (third, 0)
        assert third == second, "the limited key rests"
        assert [attempt.outcome for attempt in job.attempts] == ["rate_limit", "overloaded", "ok"]
        assert asyncio.get_running_loop().time() - asked_at < 20
        assert all(status.in_flight == 0 for status in pool.statuses(bench.clock.monotonic()))

    run()


@pytest.mark.parametrize("kind", [FailureKind.RATE_LIMIT, FailureKind.QUOTA, FailureKind.AUTH])
def test_one_bad_key_says_nothing_about_the_target(kind: FailureKind) -> None:
    @virtually
    async def run() -> None:
        bench = Recording({A: [refused(kind, status=429), OK]}, retries=0)
        pooled(bench, PoolKey("one"), PoolKey("two"))

        await answered(bench, bench.job(stream=False))

        state = bench.live.targets[0]
        assert state.usable(bench.clock.monotonic())
        assert state.cool_until == 0.0

    run()


def test_without_a_key_left_the_target_rests_until_the_first_is_back() -> None:
    @virtually
    async def run() -> None:
        later = refused(FailureKind.RATE_LIMIT, status=429, retry_after_s=50.0)
        bench = Recording({A: [LIMITED, later, OK]}, retries=0)
        pooled(bench, PoolKey("one"), PoolKey("two"))

        with pytest.raises(UpstreamError) as caught:
            await answered(bench, bench.job(stream=False))

        assert caught.value.retry_after_s == pytest.approx(20.0)
        assert not bench.live.targets[0].usable(bench.clock.monotonic())
        await asyncio.sleep(20.1)
        await answered(bench, bench.job(stream=False))
        assert keys_used(bench)[2] == keys_used(bench)[0]

    run()


def test_full_keys_hand_over_to_the_next_target_or_say_when_there_is_room() -> None:
    @virtually
    async def run() -> None:
        bench = Recording({A: OK, B: OK})
        pooled(bench, PoolKey("one", rpm=1))
        await answered(bench, bench.job(stream=False))
        job = bench.job(stream=False)
        await answered(bench, job)
        assert job.answered_by is not None
        assert job.answered_by.id == B

        alone = Recording({A: OK})
        pooled(alone, PoolKey("one", rpm=1))
        await answered(alone, alone.job(stream=False))
        with pytest.raises(NoProviderAvailable) as caught:
            await answered(alone, alone.job(stream=False))
        assert 0 < (caught.value.retry_after_s or 0) <= 61

    run()


def test_the_only_account_that_knows_what_is_meant_is_never_left() -> None:
    @virtually
    async def run() -> None:
        bench = Recording({A: LIMITED}, retries=0)
        pooled(bench, PoolKey("one"), PoolKey("two"), PoolKey("three"))
        job = bench.job(stream=False)
        job.request.home = Home(target_id=A, provider="alpha", credential="two")

        with pytest.raises(UpstreamError):
            await answered(bench, job)

        assert keys_used(bench) == ["two"]

    run()


def place(credential: str, target_id: str = A) -> Place:
    return Place(target_id, credential, 1000, 900, False, 0)


def test_a_conversation_stays_with_the_key_that_answered_it() -> None:
    @virtually
    async def run() -> None:
        bench = Recording({A: OK})
        pooled(bench, *(PoolKey(f"key{n}") for n in range(8)))
        for wanted in ("key5", "key2", "key7"):
            job = bench.job(stream=False)
            job.conversation = Conversation(b"k", (place(wanted),), False, 0)
            await answered(bench, job)
        assert keys_used(bench) == ["key5", "key2", "key7"]

    run()


def test_only_keys_of_other_accounts_are_somewhere_else() -> None:
    @virtually
    async def run() -> None:
        bench = Recording({A: OK})
        pooled(bench, PoolKey("one", account="x"), PoolKey("two", account="x"), PoolKey("three", account="y"))
        job = bench.job(stream=False)
        job.live = bench.live
        target = job.plan.targets[0]
        job.conversation = Conversation(b"k", (place("one"),), False, 0)
        moved = [moved_from(job, target, key) for key in ("one", "two", "three", "caller")]
        assert moved == ["", "", A, A]

    run()


def test_a_callers_own_refusal_blames_nobody_and_costs_nothing() -> None:
    @virtually
    async def run() -> None:
        refusals: list[Script] = [refused(FailureKind.AUTH, status=401), LIMITED]
        bench = Recording({A: [*refusals, OK]}, retries=0)
        pool = pooled(bench, PoolKey("one"), PoolKey("two"))
        for _ in refusals:
            job = bench.job(stream=False)
            job.callers_provider = "alpha"
            with pytest.raises(UpstreamError):
                await answered(bench, job)
        good = bench.job(stream=False)
        good.callers_provider = "alpha"
        await answered(bench, good)

        assert keys_used(bench) == ["caller"] * 3
        assert bench.live.targets[0].cool_until == 0.0
        assert pool.closed_until == 0.0
        (row,) = good.attempts
        assert (row.cost_nano_usd, row.billed_as, row.estimated) == (0, "caller", False)

    run()


def test_a_route_that_does_not_take_own_credentials_forgets_them() -> None:
    @virtually
    async def run() -> None:
        job = Recording({A: OK}).job(stream=False)
        request, members = job.request, job.plan.route.targets
        request.own_credential = ("authorization", "Bearer theirs")
        route = Route(name="r", targets=members, passthrough=Passthrough.ALLOWED)
        assert admit_own(request, route) == "alpha"
        assert admit_own(request, Route(name="r", targets=members)) == ""
        assert request.own_credential is None
        with pytest.raises(InvalidRequest, match="your own provider credential"):
            admit_own(request, Route(name="r", targets=members, passthrough=Passthrough.ONLY))

    run()
