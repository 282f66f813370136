"""Who is stopped is answered from memory; what guards decide survives a store that is down."""

from datetime import timedelta

import pytest

from adapters.memory.stops import InMemoryStopStore
from adapters.memory.system import CountingIds, SteppingClock
from application.stops import ENDED_KEPT_S, UNWRITTEN_MAX, StopBoard
from application.use_cases.manage_stops import ManageStops
from contracts.ports.stops import guarded, stop
from domain.errors import Forbidden, NotFound, StoreUnavailable
from domain.guards.stop import NewStop, Stop, StopCause, StopSubject
from domain.tenancy.principal import Principal
from domain.tenancy.role import local_operator, permissions_of
from tests.unit.application.upstreams import virtually

CRAWLER = StopSubject(agent_id="crawler")
ASKING = StopSubject(agent_id="crawler", session_id="s1", key_id="k1", route="assistant")


def of_tenant(tenant_id: str, role: str = "operator") -> Principal:
    return Principal(
        tenant_id=tenant_id,
        key_id=f"key of {tenant_id}",
        key_name="k",
        role=role,
        permissions=permissions_of(role, tenant_id),
    )


class World:
    """Two instances on one store."""

    def __init__(self) -> None:
        self.clock = SteppingClock()
        self.store = InMemoryStopStore()
        self.here, self.there = StopBoard(self.store, self.clock), StopBoard(self.store, self.clock)
        self.manage = ManageStops(self.here, self.clock, CountingIds())

    async def started(self) -> "World":
        await self.here.refresh()
        await self.there.refresh()
        return self

    def guarded(self, stop_id: str = "stop_g", **changed: object) -> Stop:
        now = self.clock.utc_now()
        fresh = {"subject": CRAWLER, "created_at": now, "expires_at": now + timedelta(hours=1)}
        return guarded(stop_id, **{**fresh, **changed})


@virtually
async def test_a_stop_is_in_force_here_at_once_and_there_with_the_next_look() -> None:
    world = await World().started()

    made = await world.manage.make(of_tenant("acme"), NewStop(tenant_id="acme", subject=CRAWLER))

    assert world.here.stop_for("acme", ASKING) == made
    assert world.there.stop_for("acme", ASKING) is None
    await world.there.refresh()
    assert world.there.stop_for("acme", ASKING) == made
    assert world.there.stop_for("other", ASKING) is None
    assert world.there.stop_for("acme", StopSubject(agent_id="reader")) is None


@virtually
async def test_a_stop_that_names_several_covers_who_agrees_in_all() -> None:
    world = await World().started()
    both = StopSubject(session_id="s1", route="assistant")

    await world.manage.make(local_operator(), NewStop(tenant_id="acme", subject=both))

    assert world.here.stop_for("acme", ASKING) is not None
    assert world.here.stop_for("acme", StopSubject(agent_id="crawler", session_id="s1")) is None


@virtually
async def test_lifting_and_expiring_let_them_go_on_and_both_are_remembered() -> None:
    world = await World().started()
    operator = of_tenant("acme")
    made = await world.manage.make(operator, NewStop(tenant_id="acme", subject=CRAWLER))
    await world.manage.make(operator, NewStop(tenant_id="acme", subject=CRAWLER, for_s=60))

    lifted = await world.manage.lift(operator, made.stop_id)
    assert (lifted.lifted_by, lifted.lifted_at) == (operator.key_id, world.clock.utc_now())
    assert await world.manage.lift(operator, made.stop_id) == lifted, "twice is no error"
    assert world.here.stop_for("acme", ASKING) is not None, "the other one is in force"

    world.clock.advance(60)
    assert world.here.stop_for("acme", ASKING) is None
    await world.here.refresh()
    assert not world.here.anybody
    assert await world.manage.all(operator) == []
    assert len(await world.manage.all(operator, ended_too=True)) == 2


@virtually
async def test_a_tenant_sees_and_lifts_only_its_own_stops() -> None:
    world = await World().started()
    acme, other = of_tenant("acme"), of_tenant("other", "owner")
    made = await world.manage.make(acme, NewStop(tenant_id="acme", subject=CRAWLER))

    with pytest.raises(Forbidden):
        await world.manage.make(other, NewStop(tenant_id="acme", subject=CRAWLER))
    with pytest.raises(NotFound):
        await world.manage.lift(other, made.stop_id)
    with pytest.raises(Forbidden):
        await world.manage.all(other, "acme")
    assert await world.manage.all(other) == []
    assert await world.manage.all(local_operator()) == [made]
    with pytest.raises(Forbidden):
        await world.manage.make(of_tenant("acme", "agent"), NewStop(tenant_id="acme", subject=CRAWLER))


@virtually
async def test_what_a_guard_decides_holds_at_once_and_is_written_when_the_store_is_back() -> None:
    world = await World().started()
    world.store.reachable = False
    made = world.guarded()

    world.here.make(made)

    assert world.here.stop_for("acme", ASKING) == made
    with pytest.raises(StoreUnavailable):
        await world.here.refresh()
    assert world.here.stop_for("acme", ASKING) == made
    world.store.reachable = True
    await world.here.refresh()
    await world.there.refresh()
    assert world.here.stop_for("acme", ASKING) == world.there.stop_for("acme", ASKING) == made


@virtually
async def test_two_guards_at_once_leave_one_stop_and_lifting_it_is_enough() -> None:
    world = await World().started()
    world.here.make(world.guarded("stop_1"))
    world.there.make(world.guarded("stop_2"))
    for board in (world.here, world.there, world.here):
        await board.refresh()

    assert [each.stop_id for each in await world.store.all()] == ["stop_1"]
    await world.manage.lift(local_operator(), "stop_1")
    await world.there.refresh()
    assert world.here.stop_for("acme", ASKING) is None
    assert world.there.stop_for("acme", ASKING) is None


@virtually
async def test_stops_that_wait_for_the_store_are_bounded() -> None:
    world = await World().started()
    world.store.reachable = False

    for number in range(UNWRITTEN_MAX + 5):
        subject = StopSubject(session_id=f"s{number}")
        world.here.make(world.guarded(f"stop_{number}", subject=subject))

    assert world.here.made[StopCause.SPEND_RATE] == UNWRITTEN_MAX
    assert world.here.counts_in_force()[StopCause.SPEND_RATE] == UNWRITTEN_MAX


@virtually
async def test_a_store_that_went_down_keeps_nobody_from_being_stopped() -> None:
    world = await World().started()
    made = await world.manage.make(of_tenant("acme"), NewStop(tenant_id="acme", subject=CRAWLER))

    world.store.reachable = False
    world.clock.advance(86_400)

    assert world.here.stop_for("acme", ASKING) == made
    with pytest.raises(StoreUnavailable):
        await world.manage.make(of_tenant("acme"), NewStop(tenant_id="acme", subject=CRAWLER))


@virtually
async def test_those_that_run_are_ended_once_everywhere_where_that_was_asked() -> None:
    world = World()
    await world.store.add(stop("old", ends_running=True, subject=CRAWLER), stops_max=9)
    await world.started()
    ended: list[tuple[str, str]] = []
    world.here.on_stopped = lambda each: ended.append(("here", each.stop_id))
    world.there.on_stopped = lambda each: ended.append(("there", each.stop_id))

    now = await world.manage.make(
        local_operator(), NewStop(tenant_id="acme", subject=CRAWLER, ends_running=True)
    )
    await world.manage.make(local_operator(), NewStop(tenant_id="acme", subject=CRAWLER))
    for _ in range(2):
        await world.there.refresh()

    assert ended == [("here", now.stop_id), ("there", now.stop_id)]


@virtually
async def test_evidence_of_ended_stops_is_kept_for_its_subject_for_a_week() -> None:
    world = await World().started()
    made = world.guarded(evidence="ab@7", cause=StopCause.REPEATED_TOOL_CALL)
    world.here.make(made)
    await world.here.refresh()
    await world.manage.lift(local_operator(), made.stop_id)
    await world.there.refresh()

    forgiven = world.there.forgiven("acme", StopCause.REPEATED_TOOL_CALL, CRAWLER)
    assert forgiven.since("ab", 100) == 7
    for tenant_id, cause, subject in (
        ("other", StopCause.REPEATED_TOOL_CALL, CRAWLER),
        ("acme", StopCause.STEPS_WITHOUT_USER, CRAWLER),
        ("acme", StopCause.REPEATED_TOOL_CALL, ASKING),
    ):
        assert world.there.forgiven(tenant_id, cause, subject).since("ab", 100) == 0

    world.clock.advance(ENDED_KEPT_S + 1)
    await world.store.forget_ended_before(world.clock.utc_now() - timedelta(seconds=ENDED_KEPT_S))
    await world.there.refresh()
    assert world.there.forgiven("acme", StopCause.REPEATED_TOOL_CALL, CRAWLER).since("ab", 100) == 0
