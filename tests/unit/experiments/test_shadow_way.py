"""What holds for a request holds for its copy, and a copy takes nothing from callers."""

import asyncio
import random
from dataclasses import replace
from datetime import datetime

import pytest

from adapters.memory.rate_limits import InMemoryRateLimits
from adapters.memory.scripted_llm import Script
from adapters.memory.system import CountingIds
from application.experiments.shadow_calls import AT_ONCE_MAX, LATE_MAX_S, PROBE_S, WAITING_MAX
from application.inspection import Inspector
from application.job import Job
from application.limit_book import LimitBook
from application.limit_exchange import LimitExchange
from application.ports.system import Clock
from application.rate_limits import RateLimits
from application.recording import RecordingInspector
from application.use_cases.manage_stops import ManageStops
from domain.errors import BudgetExceeded, PiiBlocked
from domain.experiments.experiment import Shadow, Status
from domain.guards.stop import NewStop, StopSubject
from domain.recording.policy import RecordingPolicy
from domain.routing.requirements import Requirements
from domain.routing.target import Route, Target
from domain.tenancy.role import local_operator
from domain.tenancy.tenant import Tenant, TenantState
from tests.unit.application.test_holds import Purse, bound_of, budget
from tests.unit.application.upstreams import virtually
from tests.unit.experiments.shadow_world import CALLER, ShadowWorld
from tests.unit.limits.limit_world import limit


async def stop(world: ShadowWorld, *, ends_running: bool = False) -> None:
    """Stops the agent of all requests."""
    await world.board.refresh()
    wanted = NewStop(tenant_id="default", subject=StopSubject(agent_id="a1"), ends_running=ends_running)
    await ManageStops(world.board, world.clock, CountingIds()).make(local_operator(), wanted)


@virtually
async def test_a_copy_is_asked_when_its_request_is_over_and_both_are_told_apart() -> None:
    world = ShadowWorld()
    async with world.copying():
        job = await world.ask()
    assert world.bench.asked() == ["alpha/m", "beta/m"]
    own, copy = world.events
    assert (own.cache, own.arm, own.request_id) == ("off", "now", job.request_id)
    assert (copy.cache, copy.arm, copy.route, copy.user_id) == ("shadow", "mirror", "auto", "u1")
    assert copy.request_id != job.request_id and copy.experiment == own.experiment
    assert world.calls.counts == {"compared": 1}
    assert world.pipeline.in_flight == 0
    world.bench.assert_nothing_left()


@virtually
async def test_a_rate_limit_is_none_the_poorer_for_copies() -> None:
    def limits(clock: Clock) -> RateLimits:
        store = InMemoryRateLimits(clock.utc_us)
        counts, quotas = (LimitExchange(store, clock, lambda: "h1") for _ in range(2))
        book = LimitBook(counts, quotas, clock)
        book.replace([limit(requests=10, scope={"tenant": "default"})])
        return book

    world = ShadowWorld(limits=limits)
    assert isinstance(world.limits, LimitBook)
    job = await world.ask()
    (before,) = world.limits.standings(job)
    async with world.copying():
        pass
    (after,) = world.limits.standings(job)
    assert world.sent == 1
    assert (before.remaining, after.remaining) == (9, 9)


class Kept:
    """Takes over what is recorded."""

    part_bytes_max = 1000

    def __init__(self) -> None:
        self.parts: list[object] = []

    def note(self, recording: object) -> None:
        self.parts.append(recording)


@virtually
async def test_nothing_of_a_copy_is_recorded() -> None:
    kept = Kept()
    clock = ShadowWorld().clock
    recording = RecordingInspector(kept, clock, random.Random(1))  # type: ignore[arg-type]
    world = ShadowWorld(inspectors=[recording], recording=RecordingPolicy(prompts=True, answers=True))
    async with world.copying():
        await world.ask()
    assert world.sent == 1
    assert len(kept.parts) == 2  # control's


def in_eu_and_us(one: Target) -> Target:
    regions = frozenset({"eu-west" if one.id == "alpha/m" else "us-east"})
    return replace(one, offering=replace(one.offering, regions=regions))


@virtually
async def test_a_copy_goes_nowhere_that_its_request_may_not() -> None:
    """The caller's own demand, and what its tenant is held to."""
    world = ShadowWorld(targets=in_eu_and_us)
    async with world.copying():
        await world.ask(residency="eu-west")
        world.tenants.use([Tenant(tenant_id="default", name="d", residency="eu-west")])
        await world.ask()
    assert world.calls.counts == {"left out: its targets could never answer": 2}
    assert world.sent == 0


@virtually
async def test_a_tenant_moved_while_its_copy_waited_is_held_where_it_is_now() -> None:
    world = ShadowWorld(targets=in_eu_and_us)
    await world.ask()
    world.tenants.use([Tenant(tenant_id="default", name="d", residency="eu-west")])
    async with world.copying():
        pass
    assert world.sent == 0
    assert [event.outcome for event in world.copies] == ["refused"]


@virtually
async def test_a_target_that_another_tenant_has_alone_gets_no_copy() -> None:
    def alone(one: Target) -> Target:
        return replace(one, tenant_id="other") if one.id == "beta/m" else one

    world = ShadowWorld(targets=alone)
    async with world.copying():
        await world.ask()
        await world.ask(replace(CALLER, tenant_id="third"))
    assert world.sent == 0
    assert world.calls.counts == {"left out: its targets could never answer": 2}


class Refusing(Inspector):
    """Of a policy: the first look lets it through, every other one does not."""

    def __init__(self) -> None:
        self.looks = 0

    def request(self, job: Job, route: Route) -> None:
        self.looks += 1
        if job.shadow is not None:
            raise PiiBlocked("a policy said no")


@virtually
async def test_policies_look_at_a_copy_too_and_what_they_refuse_is_not_sent() -> None:
    policy = Refusing()
    world = ShadowWorld(inspectors=[policy])
    async with world.copying():
        await world.ask()
    assert (policy.looks, world.sent) == (2, 0)
    assert world.calls.counts == {f"left out: {PiiBlocked.code}": 1}
    assert await world.log.counted(["exp_1"], 0) == {}


@virtually
async def test_a_stopped_agent_begins_no_copies() -> None:
    world = ShadowWorld()
    await world.ask()
    await stop(world)
    async with world.copying():
        pass
    assert world.sent == 0
    assert world.calls.counts == {"left out: agent_stopped": 1}


@virtually
async def test_a_revoked_key_and_a_suspended_tenant_end_their_copies() -> None:
    world = ShadowWorld()
    await world.ask()
    world.guards.end_keys(frozenset({"k1"}))
    async with world.copying():
        pass
    assert world.calls.counts == {"left out: invalid_api_key": 1}

    world = ShadowWorld()
    await world.ask()
    world.tenants.use([Tenant(tenant_id="default", name="d", state=TenantState.SUSPENDED)])
    world.guards.end_suspended(world.tenants)
    async with world.copying():
        pass
    assert world.calls.counts == {"left out: tenant_suspended": 1}
    assert world.sent == 0


@virtually
async def test_what_waits_for_a_shadow_that_was_stopped_is_never_sent() -> None:
    for stopped in ((Status.RUNNING, "mirror"), (Status.STOPPED,)):
        world = ShadowWorld()
        await world.ask()
        world.stand(*stopped)
        async with world.copying():
            pass
        assert world.calls.counts == {"left out: it was stopped": 1}
        assert world.sent == 0


@virtually
async def test_the_last_tenth_of_a_hard_budget_is_left_to_callers() -> None:
    needed = bound_of(await ShadowWorld().ask())
    for limit_nano_usd, sent in ((needed * 3, 1), (needed * 108 // 100, 0)):
        world = ShadowWorld(money=Purse(budget(limit_nano_usd)))
        async with world.copying():
            await world.ask()
        assert world.sent == sent
        assert world.calls.counts == {"compared" if sent else f"left out: {BudgetExceeded.code}": 1}
        assert world.bench.holds is not None and not world.bench.holds.refusals
        assert (await world.ask()).attempts, "what the copy left alone is its caller's"


@virtually
async def test_two_shadows_demand_each_for_itself() -> None:
    # Kept, not their ids: one that was freed would leave its id to the next.
    seen: list[Requirements] = []

    class Demanding(Inspector):
        def request(self, job: Job, route: Route) -> None:
            if job.shadow is not None:
                seen.append(job.requirements)
                assert job.requirements.only_among is None
                job.requirements.only_among = frozenset({"beta/m"})

    both = [Shadow(name=name, route="mirror", share=1.0) for name in ("one", "two")]
    world = ShadowWorld(shadows=both, inspectors=[Demanding()])
    async with world.copying():
        await world.ask()
    assert world.sent == 2
    one, two = seen
    assert one is not two
    assert world.calls.counts == {"compared": 2}


class Late(Clock):
    """Ahead of the event loop's own time by whatever it was late so far."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.late_s = 0.0

    def monotonic(self) -> float:
        return self._clock.monotonic() + self.late_s

    def utc_now(self) -> datetime:
        return self._clock.utc_now()


@pytest.mark.parametrize(("late_for_s", "became"), [(2.0, "compared"), (100.0, "left out: waited too long")])
def test_a_copy_waits_until_its_process_keeps_up_with_its_callers(late_for_s: float, became: str) -> None:
    @virtually
    async def run() -> None:
        clocks: list[Late] = []

        def late(clock: Clock) -> Clock:
            clocks.append(Late(clock))
            return clocks[0]

        world = ShadowWorld(beside=late)

        async def busy() -> None:
            until_s = clocks[0].monotonic() + late_for_s
            while clocks[0].monotonic() < until_s:
                await asyncio.sleep(PROBE_S / 2)
                assert not world.sent
                clocks[0].late_s += 2 * LATE_MAX_S

        await world.ask()
        hog = asyncio.create_task(busy())
        async with world.copying():
            pass
        await hog
        assert world.calls.counts == {became: 1}
        assert world.sent == (became == "compared")

    run()


@virtually
async def test_a_stop_ends_a_copy_that_runs_and_its_money_is_counted() -> None:
    world = ShadowWorld(beta=Script(text="late", latency_s=3.0))
    async with world.copying():
        await world.ask()
        await asyncio.sleep(1.0)
        assert (world.calls.running, world.sent) == (1, 1)
        await stop(world, ends_running=True)
    (copy,) = world.copies
    assert (copy.outcome, len(copy.attempts)) == ("cancelled", 1)
    assert world.calls.spending.counted(("exp_1", "mirror")) > 0
    assert world.pipeline.in_flight == 0
    world.bench.assert_nothing_left()


@virtually
async def test_callers_are_answered_while_copies_hang_and_no_slot_stays_taken() -> None:
    world = ShadowWorld(beta=Script(silent=True))
    task = asyncio.create_task(world.calls.run())
    began_s = world.clock.monotonic()
    for number in range(300):
        await world.ask(prompt=str(number))
    assert world.clock.monotonic() == began_s, "no caller waited a moment"
    await asyncio.sleep(1.0)
    assert (world.calls.running, world.pipeline.in_flight) == (AT_ONCE_MAX, AT_ONCE_MAX)
    assert world.calls.waiting <= WAITING_MAX
    assert world.calls.counts["left out: too many wait"] >= 300 - WAITING_MAX - AT_ONCE_MAX
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert (world.calls.running, world.pipeline.in_flight) == (0, 0)
    assert {event.outcome for event in world.copies} == {"cancelled"}
    world.bench.assert_nothing_left()
