"""Never above in any window: by brute force over what many holders really let through."""

from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.limits.bucket import (
    LEASE_US_MAX,
    MARKS_MAX,
    Asked,
    Bucket,
    Credit,
    LimitRule,
    Told,
    ask,
    make_rule,
)

SECOND_US = 1_000_000
RULES = st.builds(
    make_rule,
    amount=st.integers(1, 2000),
    period_us=st.sampled_from([SECOND_US, 60 * SECOND_US]),
    burst=st.integers(1, 3000),
)
Admissions = list[tuple[int, int]]


def worst_excess_ns(used: Admissions, burst: int, rule: LimitRule, more_us: int = 0) -> int:
    """By how much the worst window is above `burst + w / unit`, as a time; at most 0 where the limit held."""
    ordered = sorted(used)
    sums = [0, *accumulate(units for _, units in ordered)]
    worst = -(10**18)
    for first, (begin_us, _) in enumerate(ordered):
        for last in range(first, len(ordered)):
            let = sums[last + 1] - sums[first]
            window_us = ordered[last][0] - begin_us + more_us
            worst = max(worst, (let - burst) * rule.unit_ns - window_us * 1000)
    return worst


class Holder:
    """What an instance does with what it is granted, told the time in microseconds."""

    def __init__(self, rule: LimitRule) -> None:
        self.rule = rule
        self.left = 0
        self.granted_at_us = 0
        self.use_until_us = 0
        self.used: Admissions = []

    def use(self, units: int, now_us: int) -> bool:
        if self.left < units or now_us > self.use_until_us:
            return False
        self.left -= units
        self.used.append((now_us, units))
        return True

    def heard(self, told: Told, sent_us: int) -> None:
        if told.granted:
            self.left, self.granted_at_us = told.granted, told.at_us
            self.use_until_us = sent_us + self.rule.lease_us


STEPS = st.lists(
    st.tuples(
        st.integers(0, 400_000),  # time since the step before
        st.integers(0, 3),  # whose turn it is
        st.integers(0, 40),  # what is needed
        st.integers(0, 200),  # and liked beyond
        st.integers(0, 30_000),  # how long the question travels
        st.sampled_from(["heard", "heard", "heard", "lost", "died"]),
    ),
    max_size=60,
)


@given(rule=RULES.filter(lambda rule: rule.lease_us > 0), steps=STEPS)
@settings(max_examples=150)
def test_holders_of_leases_never_let_more_through_than_the_limit(
    rule: LimitRule, steps: list[tuple[int, int, int, int, int, str]]
) -> None:
    """With unused parts given back, questions that travel, answers that are lost and holders that die."""
    burst = (rule.capacity_ns + rule.lease_us * 1000) // rule.unit_ns
    holders = [Holder(rule) for _ in range(4)]
    used: Admissions = []
    bucket, now_us = Bucket(), 1_700_000_000_000_000
    for after_us, who, need, want, travels_us, fate in steps:
        now_us += after_us
        holder = holders[who]
        if not holder.use(need, now_us):
            unused = (Credit(holder.granted_at_us, holder.left),) if holder.left else ()
            holder.left, sent_us = 0, now_us
            now_us += travels_us
            bucket, told = ask(bucket, rule, Asked(need, who, want, unused), now_us)
            if fate == "died":
                used += holder.used
                holders[who] = Holder(rule)
            elif fate == "heard":
                holder.heard(told, sent_us)
                holder.use(need, now_us)
    used += [each for holder in holders for each in holder.used]

    assert worst_excess_ns(used, burst, rule) <= 0


@given(rule=RULES, steps=STEPS)
@settings(max_examples=150)
def test_what_is_given_back_leaves_a_history_that_the_rule_allows(
    rule: LimitRule, steps: list[tuple[int, int, int, int, int, str]]
) -> None:
    """Any part of any grant, at any time later: what was kept of all grants obeys the bound of the bucket."""
    grants: list[list[int]] = []
    bucket, now_us = Bucket(), 1_700_000_000_000_000
    for after_us, who, need, want, share, _ in steps:
        now_us += after_us
        back: tuple[Credit, ...] = ()
        if grants and who:
            chosen = grants[-min(len(grants), who * 2)]
            units = chosen[1] * share // 30_000
            chosen[1] -= units
            back = (Credit(chosen[0], units),)
        bucket, told = ask(bucket, rule, Asked(need, 0, want, back), now_us)
        if told.granted:
            grants.append([now_us, told.granted])
        assert len(bucket.marks) <= MARKS_MAX

    kept = [(at, units) for at, units in grants]
    assert worst_excess_ns(kept, 0, rule) <= rule.capacity_ns


@given(amount=st.integers(1, 50), burst=st.integers(1, 50))
def test_a_small_limit_gives_exactly_its_burst_and_then_one_each_time(amount: int, burst: int) -> None:
    rule = make_rule(amount, 3600 * SECOND_US, burst)._replace(lease_us=0)
    rule = rule._replace(capacity_ns=burst * rule.unit_ns)
    bucket, now_us = Bucket(), 1_700_000_000_000_000

    for _ in range(burst):
        bucket, told = ask(bucket, rule, Asked(1), now_us)
        assert told.granted == 1
    bucket, told = ask(bucket, rule, Asked(1), now_us)
    assert told.granted == 0
    early, _ = ask(bucket, rule, Asked(), now_us + told.retry_in_us - 1)
    assert ask(early, rule, Asked(1), now_us + told.retry_in_us - 1)[1].granted == 0
    assert ask(bucket, rule, Asked(1), now_us + told.retry_in_us)[1].granted == 1


def test_three_a_minute_are_not_leased() -> None:
    assert make_rule(3, 60 * SECOND_US, 3) == LimitRule(20_000_000_000, 60_000_000_000, 0)


def test_a_lease_holds_back_a_twentieth_at_most() -> None:
    rule = make_rule(600, 60 * SECOND_US, 600)

    assert rule.lease_us == LEASE_US_MAX
    assert rule.room_max == 590
    assert make_rule(600, 60 * SECOND_US, 100).lease_us == 500_000


def test_more_than_ever_fits_is_never_granted() -> None:
    _, told = ask(Bucket(), make_rule(10, SECOND_US, 10), Asked(11), 5)

    assert (told.granted, told.retry_in_us) == (0, -1)


def test_a_debt_delays_whoever_comes_next() -> None:
    rule = make_rule(10, SECOND_US, 10)
    bucket, _ = ask(Bucket(), rule, Asked(debt=15), 1_000_000)

    _, told = ask(bucket, rule, Asked(1), 1_000_000)

    assert (told.granted, told.retry_in_us) == (0, 600_000)


def test_what_drained_meanwhile_is_not_given_back_twice() -> None:
    """The bucket ran dry and was filled by others: the old grant had become theirs."""
    rule = LimitRule(10_000_000, 900_000_000, 100_000)
    bucket, first = ask(Bucket(), rule, Asked(10), 1_000_000)
    bucket, _ = ask(bucket, rule, Asked(90), 1_500_000)

    bucket, told = ask(bucket, rule, Asked(11, credits=(Credit(first.at_us, 10),)), 1_600_000)

    assert told.granted == 0
    assert told.room == 10


@pytest.mark.parametrize("back_us", [1, 10 * SECOND_US])
def test_a_clock_that_goes_back_drains_nothing(back_us: int) -> None:
    rule = make_rule(10, SECOND_US, 10)
    bucket, _ = ask(Bucket(), rule, Asked(10), 100 * SECOND_US)

    _, told = ask(bucket, rule, Asked(1), 100 * SECOND_US - back_us)

    assert told.granted == 0
