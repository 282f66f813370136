"""What this process has of one account of a rate limit: units it may let through without asking."""

from typing import Final

from application.ports.rate_limits import LimitLine
from domain.limits.bucket import ASKED_EACH_US, Asked, Credit, Told
from domain.limits.limit import LimitAccount, Meter
from domain.limits.standing import LimitStanding

CREDITS_MAX: Final = 8
"""Grants of which something is to be given back, told apart; more are taken for the oldest of them."""
HORIZON_S: Final = 0.5
"""A slice is for what is used in this time, or in half the time it may be used."""
RATE_OVER_S: Final = 0.25
"""Use is measured over at least this long, so that two requests at once are not taken for a flood."""
SLICE_SHARE: Final = 8
"""Beyond what somebody waits for, a slice is at most this part of what the limit lets through at once."""
SOON_NS: Final = 130 * 1_000_000_000
"""What takes no longer to fill again may be kept where it can be lost, because it is full again soon."""
GIVE_BACK_AFTER_S: Final = 1.0
ASK_AGAIN_S: Final = 0.5
"""A refusal is believed for this long at most: what others give back makes room before its time."""
NEVER: Final = float("-inf")


class Slice:
    """Mutable, of one event loop. Times are monotonic seconds; `granted_at_us` is on the store's clock."""

    __slots__ = (
        "account",
        "ask_again_at",
        "credits",
        "debt",
        "forgets_soon",
        "granted_at_us",
        "lease_s",
        "least",
        "left",
        "of_tokens",
        "rate",
        "refused",
        "refused_until",
        "room_max",
        "since",
        "told",
        "told_at",
        "use_until",
        "used",
        "used_at",
        "waited_for",
    )

    def __init__(self, account: LimitAccount, now: float) -> None:
        self.account = account
        self.of_tokens = account.meter is Meter.TOKENS
        self.lease_s = 0.0
        self.room_max = account.amount if account.rule is None else account.rule.room_max
        """The most units that could ever be granted at once."""
        self.forgets_soon = account.rule is not None and account.rule.capacity_ns <= SOON_NS
        if account.rule is not None:
            self.lease_s = (account.rule.lease_us or ASKED_EACH_US) / 1e6
        self.left = 0
        self.use_until = NEVER
        self.granted_at_us = 0
        self.credits: list[Credit] = []
        self.debt = 0
        self.waited_for = self.least = 0
        """Units that somebody waits for, and the fewest anybody does."""
        self.refused = 0
        """What there was no room for, until `refused_until`."""
        self.refused_until = self.ask_again_at = NEVER
        self.told: Told | None = None
        self.told_at = now
        self.used = 0
        self.used_at = self.since = now
        self.rate = 0.0

    # Using

    def has(self, units: int, now: float) -> bool:
        """Whether so much may be let through without asking."""
        return self.left >= units and now <= self.use_until

    def take(self, units: int, now: float) -> int:
        """Lets them through; when they were granted, to be said with what is corrected later."""
        self.left -= units
        self.used += units
        self.used_at = now
        return self.granted_at_us

    def give_back(self, units: int, granted_at_us: int, now: float) -> None:
        """So much of what was taken was not used after all."""
        if granted_at_us == self.granted_at_us and now <= self.use_until:
            self.left += units
        else:
            self._credit(Credit(granted_at_us, units))

    def owe(self, units: int) -> None:
        """So much more was used than was taken; it delays whoever comes next."""
        paid = min(self.left, units)
        self.left -= paid
        self.debt += units - paid

    def _credit(self, credit: Credit) -> None:
        for place, known in enumerate(self.credits):
            if known.at_us == credit.at_us or len(self.credits) >= CREDITS_MAX:
                at_us = min(known.at_us, credit.at_us)
                self.credits[place] = Credit(at_us, known.units + credit.units)
                return
        self.credits.append(credit)

    # Refusing

    def refuses(self, units: int, now: float) -> bool:
        """Whether it is known well enough that there is no room for so much yet."""
        return now < self.ask_again_at and units >= self.refused

    def wait_s(self, units: int, now: float) -> float:
        """When there may be room for what is refused."""
        rule = self.account.rule
        more_ns = 0 if rule is None else max(0, units - self.refused) * rule.unit_ns
        return max(0.0, self.refused_until - now) + more_ns / 1e9

    # Asking

    def wait_for(self, units: int, beside: int = 0) -> None:
        """Somebody waits for so much to be granted; `beside` is for those who may take it first."""
        self.least = min(self.least, units) if self.waited_for else units
        self.waited_for += units + beside

    def is_due(self, now: float) -> bool:
        """Whether something idle should go back without waiting for the next question."""
        idle = self.left > 0 and (now > self.use_until or now - self.used_at > GIVE_BACK_AFTER_S)
        return idle or ((bool(self.credits) or self.debt > 0) and now - self.since > GIVE_BACK_AFTER_S)

    def line(self, now: float) -> LimitLine:
        """The next question. What is at hand goes back with it, and comes anew."""
        account = self.account
        if self.left > 0:
            self._credit(Credit(self.granted_at_us, self.left))
            self.left = 0
        passed_s = max(RATE_OVER_S, now - self.since)
        self.rate = max(self.used / passed_s, self.rate / 2)
        self.used, self.since = 0, now
        asked = Asked(
            self.least,
            self.waited_for - self.least,
            self._want() if self.waited_for else 0,
            tuple(self.credits),
            self.debt,
        )
        self.credits = []
        self.waited_for = self.least = 0
        return LimitLine(account.account_id, account.rule, account.amount, asked, account.period_end_us)

    def _want(self) -> int:
        rule = self.account.rule
        if rule is None:
            return min(int(self.rate * HORIZON_S), self.account.amount // SLICE_SHARE)
        if rule.lease_us == 0:
            return 0
        return min(int(self.rate * min(HORIZON_S, self.lease_s / 2)), rule.room_max // SLICE_SHARE)

    def heard(self, line: LimitLine, told: Told, sent_at: float, now: float, now_us: int) -> None:
        """The answer to a question that was sent at `sent_at`; `now_us` is UTC, for when a quota ends."""
        asked = line.asked
        self.told, self.told_at = told, now
        self.debt = max(0, self.debt - asked.debt)
        end_us = self.account.period_end_us
        if told.granted:
            if self.left > 0:  # given back while the question was on its way
                self._credit(Credit(self.granted_at_us, self.left))
            self.left, self.granted_at_us = told.granted, told.at_us
            ends_in_s = self.lease_s if end_us is None else (end_us - now_us) / 1e6
            self.use_until = sent_at + max(0.0, ends_in_s)
            self.refused_until = self.ask_again_at = NEVER
        elif asked.need:
            self.refused = asked.need
            waits_us = told.retry_in_us
            if waits_us < 0:
                waits_us = 0 if end_us is None else max(0, end_us - now_us)
            self.refused_until = now + waits_us / 1e6
            self.ask_again_at = min(self.refused_until, now + ASK_AGAIN_S)

    # Showing

    def room(self, now: float, now_us: int) -> tuple[int, float]:
        """Units that remain of the amount, and in how many seconds all of it is there again; as far as this
        instance knows."""
        # For each limit of each answer: comparisons, where `max` would be a call.
        account, told, left = self.account, self.told, self.left
        amount, rule, period_end_us = account.amount, account.rule, account.period_end_us
        remaining, reset_s = amount, 0.0
        if told is not None:
            remaining = told.room + left if left > 0 else told.room
            if rule is not None:
                passed_s = now - self.told_at
                reset_s = told.drained_in_us / 1e6
                if passed_s > 0.0:
                    remaining += int(passed_s * 1e9) // rule.unit_ns
                    reset_s -= passed_s
        if period_end_us is not None:
            reset_s = (period_end_us - now_us) / 1e6
        remaining -= self.debt
        if remaining > amount:
            remaining = amount
        if remaining < 0:
            remaining = 0
        if reset_s < 0.0:
            reset_s = 0.0
        return remaining, reset_s

    def standing(self, now: float, now_us: int) -> LimitStanding:
        """As far as this instance knows."""
        account = self.account
        remaining, reset_s = self.room(now, now_us)
        return LimitStanding(
            account.limit_id,
            account.name,
            account.scope,
            account.subject,
            account.meter,
            account.amount,
            account.per,
            account.rule is None,
            remaining,
            reset_s,
        )
