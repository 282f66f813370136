"""Who counts as lost and when, the stated deadline, and charges resolved by hand."""

import logging
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.memory.ledger import InMemoryLedger
from adapters.memory.system import SteppingClock
from application.ports.ledger import HolderFenced
from application.use_cases.keep_ledger import KeepLedger, LedgerTimes
from application.use_cases.resolve_charges import ResolveCharges
from contracts.ports.ledger_world import USD, Process, account
from domain.budgets.budget import LIMIT_NANO_USD_MAX
from domain.budgets.posting import HoldOutcome
from domain.budgets.vigil import Vigil
from domain.errors import Forbidden, InvalidRequest, NotFound, StoreUnavailable
from domain.tenancy.principal import Principal

DAILY = account(limit=10 * USD)
SHARED = account("acc_shared", 100 * USD, tenant="default", budget="bud_shared")
THEIRS = account("acc_theirs", 10 * USD, tenant="other", budget="bud_theirs")


def principal(tenant: str, *permissions: str) -> Principal:
    return Principal(
        tenant_id=tenant, key_id="k", key_name="k", role="admin", permissions=frozenset(permissions)
    )


WRITER = principal("acme", "budgets.read", "budgets.write")
OPERATOR = principal("default", "budgets.read", "budgets.write", "tenants.manage")


class World:
    """A ledger with one process that will fall silent, and an instance that looks after it."""

    def __init__(self) -> None:
        self.ledger = InMemoryLedger()
        self.clock = SteppingClock()
        self.keep = KeepLedger([self.ledger], self.ledger, self.clock, LedgerTimes())
        self.one = Process(self.ledger, "hold_one")

    @property
    def now_us(self) -> int:
        return int(self.clock.utc_now().timestamp() * 1e6)

    async def begin(self) -> "World":
        await self.one.open(self.now_us)
        await self.one.get(DAILY, 4 * USD, now_us=self.now_us)
        return self

    async def watch(self, seconds: float, every_s: float = 5.0) -> None:
        for _ in range(int(seconds / every_s)):
            self.clock.advance(every_s)
            await self.keep.round()

    async def state(self) -> tuple[int, int, int]:
        state = self.ledger.ledger.books[DAILY.account_id].state(DAILY.account_id)
        return state.spent_nano_usd, state.unresolved_nano_usd, state.leased_nano_usd

    async def is_fenced(self) -> bool:
        try:
            await self.one.say(now_us=self.now_us)
        except HolderFenced:
            return True
        return False


async def test_the_silent_are_fenced_then_booked_then_spent(caplog: pytest.LogCaptureFixture) -> None:
    world = await World().begin()

    await world.watch(60)
    assert world.ledger.ledger.is_open("hold_one") is False
    assert await world.state() == (0, 0, 4 * USD)

    await world.watch(600)
    assert await world.state() == (0, 4 * USD, 0)

    with caplog.at_level(logging.WARNING, "interchange"):
        await world.watch(90_000, every_s=60.0)
    assert await world.state() == (4 * USD, 0, 0)
    assert "had no bill within 24 hours" in caplog.text


async def test_whoever_speaks_is_not_lost() -> None:
    world = await World().begin()

    for _ in range(20):
        await world.watch(5)
        assert not await world.is_fenced()


async def test_nobody_is_judged_by_whoever_has_just_started_or_slept() -> None:
    world = await World().begin()
    world.clock.advance(3600)

    await world.keep.round()
    assert not await world.is_fenced()
    await world.watch(20)
    world.clock.advance(8 * 3600)
    await world.keep.round()

    assert not await world.is_fenced()


async def test_nobody_is_judged_right_after_the_ledger_was_away() -> None:
    world = await World().begin()
    await world.watch(25)
    await world.one.say(now_us=world.now_us)
    world.ledger.reachable = False
    for _ in range(20):
        world.clock.advance(5)
        with pytest.raises(StoreUnavailable):
            await world.keep.round()
    world.ledger.reachable = True

    await world.keep.round()

    assert not await world.is_fenced()


@given(gaps=st.lists(st.floats(0, 40), max_size=60))
def test_a_vigil_has_seen_everybody_who_spoke(gaps: list[float]) -> None:
    """Judged at `long_s`, whoever speaks every `gap_s_max` was heard."""
    vigil = Vigil(long_s=30.0, gap_s_max=15.0)
    now, seen = 0.0, []
    for gap in gaps:
        now += gap
        vigil.saw(now)
        seen.append(now)

    if vigil.may_judge(now):
        recent = [0.0, *(b - a for a, b in pairwise(seen) if b > now - 30.0)]
        assert max(recent) <= 15.0
        assert now - seen[0] >= 30.0


def test_a_clock_that_goes_back_begins_a_new_vigil() -> None:
    vigil = Vigil(long_s=30.0, gap_s_max=15.0)
    for now in range(0, 60, 5):
        vigil.saw(float(now))
    assert vigil.may_judge(55.0)

    vigil.saw(20.0)

    assert not vigil.may_judge(20.0)
    assert not vigil.may_judge(55.0)


class Desk:
    """Unresolved charges of two tenants, one of which also counts on a budget of the operator."""

    def __init__(self) -> None:
        self.ledger = InMemoryLedger()
        self.resolve = ResolveCharges(self.ledger, SteppingClock())

    async def begin(self) -> "Desk":
        process = await Process(self.ledger, "hold_one").open()
        await process.say((DAILY, 6 * USD, 0), (SHARED, 6 * USD, 0), (THEIRS, 2 * USD, 0))
        for attempt_id, accounts in {
            "req_mine.1": (DAILY,),
            "req_shared.1": (DAILY, SHARED),
            "req_theirs.1": (THEIRS,),
        }.items():
            await process.bill(attempt_id, 2 * USD, *accounts, outcome=HoldOutcome.UNRESOLVED)
        return self

    def spent(self, about: str) -> int:
        return self.ledger.ledger.books[about].spent


async def test_a_tenant_sees_its_own_and_the_operator_all() -> None:
    desk = await Desk().begin()

    mine = await desk.resolve.unresolved(WRITER)
    everything = await desk.resolve.unresolved(OPERATOR)
    theirs = await desk.resolve.unresolved(OPERATOR, "other")

    assert {entry.attempt_id for entry in mine} == {"req_mine.1", "req_shared.1"}
    assert len(everything) == 4
    assert {entry.attempt_id for entry in theirs} == {"req_theirs.1"}
    with pytest.raises(Forbidden):
        await desk.resolve.unresolved(WRITER, "other")
    with pytest.raises(Forbidden):
        await desk.resolve.unresolved(principal("acme", "usage.read"))


@pytest.mark.parametrize(("cost", "spent"), [(0, 0), (USD, USD), (None, 2 * USD)])
async def test_a_tenant_states_the_bill_of_its_own(cost: int | None, spent: int) -> None:
    desk = await Desk().begin()

    assert await desk.resolve.resolve(WRITER, "req_mine.1", cost) == 1

    assert desk.spent(DAILY.account_id) == spent
    with pytest.raises(NotFound):
        await desk.resolve.resolve(WRITER, "req_mine.1", cost)


async def test_what_counts_on_the_operators_budget_is_the_operators_to_resolve() -> None:
    desk = await Desk().begin()

    with pytest.raises(Forbidden):
        await desk.resolve.resolve(WRITER, "req_shared.1", 0)
    assert await desk.resolve.resolve(OPERATOR, "req_shared.1", USD) == 2

    assert (desk.spent(DAILY.account_id), desk.spent(SHARED.account_id)) == (USD, USD)


@pytest.mark.parametrize(
    ("by", "attempt_id", "cost", "error"),
    [
        (WRITER, "req_theirs.1", 0, NotFound),
        (WRITER, "req_unknown.1", 0, NotFound),
        (WRITER, "'; DROP TABLE x", 0, NotFound),
        (principal("acme", "budgets.read"), "req_mine.1", 0, Forbidden),
        (WRITER, "req_mine.1", -1, InvalidRequest),
        (WRITER, "req_mine.1", LIMIT_NANO_USD_MAX + 1, InvalidRequest),
    ],
)
async def test_what_may_not_be_resolved_is_not(
    by: Principal, attempt_id: str, cost: int, error: type[Exception]
) -> None:
    desk = await Desk().begin()

    with pytest.raises(error):
        await desk.resolve.resolve(by, attempt_id, cost)

    assert len(await desk.resolve.unresolved(OPERATOR)) == 4
