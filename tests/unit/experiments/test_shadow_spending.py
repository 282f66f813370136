"""A day's cap: what runs, what is written and what others spent, all at once."""

from hypothesis import given
from hypothesis import strategies as st

from adapters.memory.system import SteppingClock
from application.experiments.shadow_spending import ShadowSpending
from domain.experiments.experiment import Shadow

MIRROR = Shadow(name="mirror", route="small", usd_per_day=0.000_001)  # 1,000 nano-dollars
OF = ("exp_1", "mirror")


def spent(spending: ShadowSpending, bill: int | None, *, written: bool = True, sent: bool = True) -> int:
    spending.began(OF)
    amount = spending.counts(OF, bill, 0, sent=sent)
    spending.ended(OF, bill, amount, written=written)
    return amount


def test_the_cap_ends_it() -> None:
    spending = ShadowSpending(SteppingClock())
    calls = 0
    while spending.affords("exp_1", MIRROR, 300):
        spent(spending, 300)
        calls += 1
    assert (calls, spending.counted(OF)) == (3, 900)
    assert spending.affords("exp_2", MIRROR, 300)


def test_what_runs_is_counted_as_the_dearest_so_far() -> None:
    spending = ShadowSpending(SteppingClock())
    spent(spending, 400)
    spending.began(OF)
    assert not spending.affords("exp_1", MIRROR, 0)
    spending.ended(OF, 0, 0, written=True)
    assert spending.affords("exp_1", MIRROR, 0)


def test_what_was_not_sent_costs_nothing_and_an_unknown_bill_something() -> None:
    spending = ShadowSpending(SteppingClock())
    assert spent(spending, None, sent=False) == 0
    assert spent(spending, None) == 10_000_000
    assert not spending.affords("exp_1", MIRROR, 0)


def test_what_all_instances_wrote_takes_the_place_of_what_this_one_noted() -> None:
    spending = ShadowSpending(SteppingClock())
    spent(spending, 100)
    spent(spending, 10, written=False)
    mark, day = spending.asking(), spending.day_from_us
    spent(spending, 200)

    spending.told(day, {OF: 150}, mark)

    assert spending.counted(OF) == 150 + 10 + 200


def test_another_day_begins_with_all_of_it() -> None:
    clock = SteppingClock()
    spending = ShadowSpending(clock)
    spent(spending, 900)
    spent(spending, 90, written=False)
    mark, day = spending.asking(), spending.day_from_us
    clock.advance(86_400.0)

    assert spending.counted(OF) == 0
    spending.told(day, {OF: 900}, mark)
    assert spending.counted(OF) == 0


def test_a_call_dearer_than_the_cap_ends_a_shadow_for_its_day_alone() -> None:
    clock = SteppingClock()
    spending = ShadowSpending(clock)
    spent(spending, 5_000)
    assert not spending.affords("exp_1", MIRROR, 0)
    clock.advance(86_400.0)
    assert spending.affords("exp_1", MIRROR, 0)


@given(st.lists(st.tuples(st.sampled_from(["spent", "alone", "asked", "told"]), st.integers(1, 500))))
def test_what_is_counted_is_the_sum_of_all_that_was_noted(steps: list[tuple[str, int]]) -> None:
    spending, written, mark, noted = ShadowSpending(SteppingClock()), 0, 0, 0
    alone = 0
    pending: list[int] = []
    for step, amount in steps:
        if step == "spent":
            spent(spending, amount)
            pending.append(amount)
        elif step == "alone":
            spent(spending, amount, written=False)
            alone += amount
        elif step == "asked":
            mark, noted = spending.asking(), written + sum(pending)
        elif mark:
            spending.told(spending.day_from_us, {OF: noted}, mark)
            written, pending, mark = noted, pending[mark:], 0
        assert spending.counted(OF) == written + sum(pending) + alone
