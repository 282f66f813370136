"""Leases: the slice of an account that one process may spend without asking, and how large it is to be.

All amounts are nano-dollars. Totals only ever grow, so that an exchange whose answer got lost, was repeated
or overtaken changes nothing: what counts is the difference to what was known.
"""

from typing import Final, NamedTuple

SHARE_OF_FREE: Final = 4
"""One process gets at most this part (a quarter) of what is free, beyond what it needs at the moment."""
SLICE_FLOOR_DIVISOR: Final = 200
"""Slices below this part (half a percent) of the limit are not worth keeping: near the end of a budget each
request takes only what it needs."""
KEEP_IDLE_S: Final = 2.0
"""How long an unused rest is kept before it goes back."""
DOUBT_S: Final = 30.0
"""How long an exchange without an answer may still arrive and be granted. Asked again until then, and once
after; what comes even later is found when the slice is used again."""
ASK_IN_DOUBT_EVERY_S: Final = 5.0
AHEAD_S: Final = 3.0
"""How many seconds of the present consumption a slice is to last."""


class AccountState(NamedTuple):
    """What the ledger knows of an account at one moment.

    `leased` is granted to processes and neither settled nor given back; it counts as spent until then.
    """

    account_id: str
    limit_nano_usd: int
    spent_nano_usd: int
    unresolved_nano_usd: int
    leased_nano_usd: int

    @property
    def committed_nano_usd(self) -> int:
        """What certainly or possibly was spent."""
        return self.spent_nano_usd + self.unresolved_nano_usd

    @property
    def free_nano_usd(self) -> int:
        """What may still be granted; never negative."""
        # Not by way of `committed_nano_usd`, which would be another call.
        _, limit, spent, unresolved, leased = self
        return max(0, limit - spent - unresolved - leased)


def slice_to_grant(state: AccountState, need: int, want: int, holders: int) -> int:
    """What a process gets of an account: at least `need` (the caller checked that it is free), up to `want`.

    Never more than a quarter of what is free divided among the processes at it, so that a few of them cannot
    lock up a budget between them; below the floor only what is needed.
    """
    free = state.free_nano_usd
    fair = free // (SHARE_OF_FREE * max(1, holders))
    if fair * SLICE_FLOOR_DIVISOR < state.limit_nano_usd:
        return need
    return min(free, max(need, min(want, fair)))


class Lease:
    """One process's slice of one account. Not shared between processes; told the time.

    `granted_total` and `returned_total` are known to the ledger, `settled_total` is what ended attempts were
    charged, `posted_total` how much of that has reached the database. `state` is what the ledger said of the
    account at `told_at`, `wanted` whether somebody waited for what is idle. `unsure`: something was asked or
    marked as returned, and no answer says that the ledger knows.
    """

    __slots__ = (
        "_rate",
        "_rate_at",
        "account_id",
        "doubted_until",
        "granted_total",
        "held",
        "posted_total",
        "returned_total",
        "settled_total",
        "state",
        "told_at",
        "unsure",
        "used_at",
        "wanted",
    )

    def __init__(self, account_id: str, now: float) -> None:
        self.account_id = account_id
        self.granted_total = 0
        self.returned_total = 0
        self.settled_total = 0
        self.posted_total = 0
        self.held = 0
        self.state: AccountState | None = None
        self.told_at = float("-inf")
        self.used_at = now
        self.wanted = False
        self.unsure = False
        self.doubted_until = float("-inf")
        self._rate = 0.0
        self._rate_at = now

    @property
    def free(self) -> int:
        """What may be held now. Below zero after a bill beyond its bound: nothing may be held until it is
        made up for."""
        return self.granted_total - self.returned_total - self.settled_total - self.held

    @property
    def rest(self) -> int | None:
        """What is left of the account beside what others hold, as far as the ledger told; None: it told
        nothing."""
        state = self.state
        if state is None:
            return None
        # Each answer tells it, of each account: `free_nano_usd` and `free` without a call for each.
        _, limit, spent, unresolved, leased = state
        rest = limit - spent - unresolved - leased
        free = self.granted_total - self.returned_total - self.settled_total - self.held
        if rest < 0:
            rest = 0
        return rest + free if free > 0 else rest

    @property
    def outstanding(self) -> int:
        """What the ledger counts as leased to this process, once everything posted is in it."""
        return self.granted_total - self.returned_total - self.posted_total

    def take(self, amount: int, now: float) -> bool:
        """Holds the amount if the slice has room for it."""
        if amount > self.free:
            return False
        self.held += amount
        self.used_at = now
        return True

    def settle(self, held: int, charged: int, now: float) -> None:
        """Ends a hold with what it was charged: its bill, nothing, or all of it."""
        self.held -= held
        self.settled_total += charged
        # Exponentially decayed dollars per second over about AHEAD_S.
        self._rate = self._decayed(now) + charged / AHEAD_S
        self._rate_at = now

    def give_back_all(self) -> int:
        """Marks everything not held as returned; how much that is."""
        rest = max(0, self.free)
        self._give_back(rest)
        return rest

    def shrink(self, now: float, *, wanted: bool = False) -> int:
        """Marks what is not needed soon as returned; how much that is.

        An unused slice goes back whole after a while, at once when somebody else waits (`wanted`).
        """
        if wanted or now - self.used_at >= KEEP_IDLE_S:
            return self.give_back_all()
        surplus = self.free - 2 * self.ahead(now) - self.held
        if surplus <= 0:
            return 0
        self._give_back(surplus)
        return surplus

    def _give_back(self, amount: int) -> None:
        self.returned_total += amount
        self.unsure = self.unsure or amount > 0

    def top_up(self, now: float) -> int:
        """What to ask for before it is missing; 0 while the slice lasts, or is not used."""
        if now - self.used_at >= KEEP_IDLE_S or self.wanted:
            return 0
        ahead = self.ahead(now)
        return 0 if 2 * self.free >= ahead else 2 * ahead - max(0, self.free)

    def concerns_ledger(self, now: float) -> bool:
        """Whether the next look has something to tell or to ask about it."""
        if self.unsure or self.free > 0 or self.held > 0 or self.used_at > self.told_at:
            return True
        return self.told_at < self.doubted_until and now - self.told_at >= ASK_IN_DOUBT_EVERY_S

    def doubt(self, now: float) -> None:
        """An exchange about it got no answer: whether it arrived is not known, and it may still do so."""
        self.unsure = True
        self.doubted_until = now + DOUBT_S

    def ahead(self, now: float) -> int:
        """What the next seconds will consume at the present rate, including what is held at a time."""
        return int(self._decayed(now) * AHEAD_S) + self.held

    def _decayed(self, now: float) -> float:
        passed = now - self._rate_at
        return self._rate / (1.0 + passed / AHEAD_S) ** 2 if passed > 0.0 else self._rate
