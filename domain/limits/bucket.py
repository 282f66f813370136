"""The bucket of a rate limit: a generic cell rate algorithm with weights, whose units can be given back.

A limit lets `amount` units through per period, and `burst` of them at once. What is taken is kept as a time:
the level is how long the bucket needs to drain, a unit raises it by `unit` (the period divided by the amount,
in whole nanoseconds, rounded up), and units are granted while it stays within the capacity. In every window
of length w, what was granted is then at most `(capacity + w) / unit`: the level was at least zero when the
window began, at most the capacity after the last grant in it, and drained by no more than w meanwhile.

**Leases.** Whoever is granted units may let requests through for `lease` after the bucket granted them.
Requests of a window of length w were then granted within w + lease, so that a capacity of
`burst * unit - lease` keeps the promise for the requests themselves: at most `burst + w / unit` in every
window, whoever holds the units and whatever becomes of them.

**Giving back.** A grant that is taken back must leave the bucket as if it had never been: a level that would
have been lower then, but never one below zero at any moment since. Simply subtracting is wrong once the
bucket ran dry in between, because what drained then is not there to be taken again. So the bucket remembers
`marks`, how low it stood before its later grants, and gives no more back than the lowest of them: the history
without those units is one that the rule allows, so the bound above holds for what was really used. Marks rise
in time and level; too many are merged, which can only make it give back less.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

MARKS_MAX: Final = 12
LEASE_US_MAX: Final = 1_000_000
"""How long units may be held at most."""
LEASE_SHARE: Final = 20
"""Leases hold back at most this part of a burst."""
LEASE_US_MIN: Final = 50_000
"""Shorter leases are not worth keeping: each unit is asked for then."""
LEASED_UNITS_MIN: Final = 2
ASKED_EACH_US: Final = 250_000
"""How old a grant may be when it is used, where none is kept: the time that a question takes. A limit without
leases is kept exactly on the clock of whoever counts, and within this much on a caller's."""
LEVEL_NS_MAX: Final = 2**53 - 1
"""A hundred days; exact as a double, which is all that Lua has. Debts beyond it are forgiven."""
NS_PER_US: Final = 1000


class LimitRule(NamedTuple):
    """What one bucket obeys: nanoseconds, but for the lease."""

    unit_ns: int
    capacity_ns: int
    lease_us: int
    """How long a grant may be used; 0: every unit is asked for."""

    @property
    def room_max(self) -> int:
        """The most units that can be granted at once."""
        return self.capacity_ns // self.unit_ns


class Mark(NamedTuple):
    """Before the grant at this moment the level was this."""

    at_us: int
    level_ns: int


class Bucket(NamedTuple):
    """Empty is a bucket from which nothing was taken. `at_us` is when the level was this."""

    level_ns: int = 0
    at_us: int = 0
    marks: tuple[Mark, ...] = ()


class Credit(NamedTuple):
    """Units that were granted at `at_us` and not used."""

    at_us: int
    units: int


class Asked(NamedTuple):
    """What a holder says of one bucket: what it gives back, what it used without a grant, what it needs at
    least, what others wait for beside that, and what it would like beyond."""

    need: int = 0
    more: int = 0
    want: int = 0
    credits: tuple[Credit, ...] = ()
    debt: int = 0


class Told(NamedTuple):
    """What the bucket answers. `granted` is 0 or at least what was needed."""

    granted: int
    at_us: int
    """When, on the bucket's clock."""
    room: int
    """Units that could be granted now."""
    drained_in_us: int
    """When everything could be."""
    retry_in_us: int
    """When what was needed could be granted; 0: it was; -1: never."""


def make_rule(amount: int, period_us: int, burst: int) -> LimitRule:
    """The rule of a limit: leased where a lease is worth keeping."""
    unit_ns = -(-period_us * NS_PER_US // amount)
    whole_ns = burst * unit_ns
    lease_us = min(LEASE_US_MAX, whole_ns // NS_PER_US // LEASE_SHARE)
    if lease_us < LEASE_US_MIN or lease_us * NS_PER_US < LEASED_UNITS_MIN * unit_ns:
        lease_us = 0
    return LimitRule(unit_ns, whole_ns - lease_us * NS_PER_US, lease_us)


def ask(bucket: Bucket, rule: LimitRule, asked: Asked, now_us: int) -> tuple[Bucket, Told]:
    """The bucket after a holder asked, and what it is told. A clock that went back drains nothing."""
    drained_ns = max(0, now_us - bucket.at_us) * NS_PER_US
    bucket = Bucket(max(0, bucket.level_ns - drained_ns), now_us, bucket.marks)
    for credit in asked.credits:
        bucket = _given_back(bucket, credit.at_us, credit.units * rule.unit_ns)
    if asked.debt > 0:
        bucket = _raised(bucket, asked.debt * rule.unit_ns)
    room = (rule.capacity_ns - bucket.level_ns) // rule.unit_ns
    granted = retry_in_us = 0
    if asked.need > 0:
        if asked.need <= room:
            granted = granted_of(asked, room)
        elif asked.need > rule.room_max:
            retry_in_us = -1
        else:
            lacks_ns = asked.need * rule.unit_ns - (rule.capacity_ns - bucket.level_ns)
            retry_in_us = -(-lacks_ns // NS_PER_US)
    if granted:
        bucket = _raised(bucket, granted * rule.unit_ns)
    drained_in_us = -(-bucket.level_ns // NS_PER_US)
    return bucket, Told(granted, now_us, max(0, room - granted), drained_in_us, retry_in_us)


def granted_of(asked: Asked, room: int) -> int:
    """What is granted where there is room for what is needed: all that somebody waits for, as far as it goes,
    and of the rest half at most, so that there is something for the next who asks."""
    waited_for = min(room, asked.need + asked.more)
    return waited_for + min(asked.want, (room - waited_for) // 2)


def _raised(bucket: Bucket, by_ns: int) -> Bucket:
    kept = [mark for mark in bucket.marks if mark.level_ns < bucket.level_ns]
    kept.append(Mark(bucket.at_us, bucket.level_ns))
    return Bucket(min(LEVEL_NS_MAX, bucket.level_ns + by_ns), bucket.at_us, _bounded(kept))


def _given_back(bucket: Bucket, granted_at_us: int, amount_ns: int) -> Bucket:
    later = [mark for mark in bucket.marks if mark.at_us > granted_at_us]
    lowest_ns = min(bucket.level_ns, *(mark.level_ns for mark in later)) if later else bucket.level_ns
    back_ns = min(amount_ns, lowest_ns)
    if back_ns <= 0:
        return bucket
    # What comes later would have stood lower; and what came earlier must not promise more than that.
    lowered = [Mark(mark.at_us, mark.level_ns - back_ns) for mark in later]
    floor_ns = lowered[0].level_ns if lowered else bucket.level_ns
    earlier = [m for m in bucket.marks if m.at_us <= granted_at_us and m.level_ns < floor_ns]
    return Bucket(bucket.level_ns - back_ns, bucket.at_us, (*earlier, *lowered))


def _bounded(marks: Sequence[Mark]) -> tuple[Mark, ...]:
    if len(marks) <= MARKS_MAX:
        return tuple(marks)
    # The lower level for the whole time of both: a question about that time gets less than it might.
    first, second, *rest = marks
    return (Mark(second.at_us, first.level_ns), *rest)
