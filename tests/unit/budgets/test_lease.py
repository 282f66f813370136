"""A process's slice of an account: what may be held, what goes back, how large a slice is."""

from hypothesis import given
from hypothesis import strategies as st

from domain.budgets.lease import KEEP_IDLE_S, AccountState, Lease, slice_to_grant

AMOUNTS = st.integers(0, 2**62)


def lease_with(granted: int, now: float = 0.0) -> Lease:
    lease = Lease("acc", now)
    lease.granted_total = granted
    return lease


@given(granted=AMOUNTS, amounts=st.lists(st.integers(0, 2**61), max_size=20))
def test_holds_never_pass_the_slice(granted: int, amounts: list[int]) -> None:
    lease = lease_with(granted)

    held = sum(amount for amount in amounts if lease.take(amount, 1.0))

    assert held == lease.held <= granted
    assert lease.free == granted - held


@given(granted=st.integers(100, 2**62), share=st.integers(0, 100))
def test_a_settled_hold_frees_what_it_was_not_charged(granted: int, share: int) -> None:
    lease = lease_with(granted)
    held = granted // 2
    charged = held * share // 100
    lease.take(held, 1.0)

    lease.settle(held, charged, 2.0)

    assert (lease.held, lease.free) == (0, granted - charged)


def test_a_bill_beyond_its_bound_has_to_be_made_up_for() -> None:
    lease = lease_with(10)
    lease.take(10, 0.0)
    lease.settle(10, 15, 1.0)

    assert lease.free == -5
    assert not lease.take(1, 1.0)
    assert lease.give_back_all() == 0
    lease.granted_total += 6
    assert lease.take(1, 1.0)


@given(
    granted=AMOUNTS,
    held=AMOUNTS,
    rate=st.integers(0, 2**50),
    passed=st.floats(0, 100),
    wanted=st.booleans(),
)
def test_what_is_held_never_goes_back(
    granted: int, held: int, rate: int, passed: float, wanted: bool
) -> None:
    lease = lease_with(granted)
    if lease.take(rate, 0.0):
        lease.settle(rate, rate, 0.0)
    lease.take(held, 0.0)
    before = lease.free

    back = lease.shrink(passed, wanted=wanted)

    assert 0 <= back <= max(0, before)
    assert lease.free == before - back
    assert lease.returned_total == back


def test_an_idle_slice_goes_back_whole_and_at_once_when_others_wait() -> None:
    idle, awaited = lease_with(100), lease_with(100)

    assert idle.shrink(KEEP_IDLE_S) == 100
    assert awaited.shrink(0.1, wanted=True) == 100


def test_what_is_marked_as_returned_is_told_until_an_answer_comes() -> None:
    lease = lease_with(100)
    lease.told_at = 1.0
    lease.shrink(KEEP_IDLE_S)

    assert lease.free == 0
    assert lease.concerns_ledger(3.0)
    lease.unsure = False
    assert not lease.concerns_ledger(3.0)


def test_what_got_no_answer_is_asked_about_until_it_can_no_longer_arrive() -> None:
    lease = lease_with(0)
    lease.told_at = 1.0
    lease.doubt(1.0)
    asked = []
    for now in range(2, 120):
        if lease.concerns_ledger(now):
            asked.append(now)
            lease.told_at, lease.unsure = float(now), False

    assert asked == [2, 7, 12, 17, 22, 27, 32]


@given(
    limit=st.integers(0, 2**62),
    spent=st.integers(0, 2**62),
    leased=st.integers(0, 2**62),
    need=st.integers(0, 2**62),
    want=st.integers(0, 2**62),
    holders=st.integers(0, 1000),
)
def test_a_grant_is_at_least_the_need_and_never_more_than_is_free(
    limit: int, spent: int, leased: int, need: int, want: int, holders: int
) -> None:
    state = AccountState("acc", limit, spent, 0, leased)
    if need > state.free_nano_usd:
        return

    granted = slice_to_grant(state, need, need + want, holders)

    assert need <= granted <= state.free_nano_usd
    assert granted <= max(need, need + want)


@given(limit=st.integers(1, 2**62), used=st.integers(0, 100), holders=st.integers(1, 64))
def test_no_slice_beyond_the_need_is_more_than_a_fair_part_of_a_quarter(
    limit: int, used: int, holders: int
) -> None:
    state = AccountState("acc", limit, limit * used // 100, 0, 0)

    granted = slice_to_grant(state, 0, limit, holders)

    assert granted * 4 * holders <= state.free_nano_usd
