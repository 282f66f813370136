"""Rate limits on the way of requests: kept from memory, a few comparisons and subtractions per limit.

What was leased is used without asking anybody; when it is used up, the requests that wait share one question
to the store (`limit_exchange.py`). A limit that is known to be full refuses without a question.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, NamedTuple

from application.job import Job
from application.limit_charge import LimitCharge
from application.limit_exchange import LimitExchange
from application.limit_slice import Slice
from application.ports.system import Clock
from application.rate_limits import RateLimits
from domain.analytics.event import RequestEvent
from domain.budgets.scope import Dimension, Spender
from domain.errors import RateLimited, StoreUnavailable
from domain.limits.estimate import estimated_tokens
from domain.limits.limit import RateLimit, accounts_of
from domain.limits.refusal import limited, too_large
from domain.limits.standing import LimitStanding
from domain.llm.request import Operation
from domain.routing.target import Route
from domain.tenancy.principal import Principal

log = logging.getLogger("interchange")

CALLERS_MAX: Final = 20_000
SLICES_MAX: Final = 20_000
"""Callers and accounts that are remembered; of who comes after the oldest, what was leased is lost."""
REMEMBERED_S: Final = 60.0
"""How long it is remembered which limits concern somebody: a tenant may move to another organisation."""
LOOK_EVERY_S: Final = 0.25
TIDY_EVERY_S: Final = 60.0
SHOWN_MAX: Final = 100
ROUNDS_MAX: Final = 6
"""How often one request asks, when others are faster; each time for twice as much."""
_MADE_UP: Final = {Dimension.USER, Dimension.AGENT, Dimension.SESSION, Dimension.WORKFLOW}


class Concerned(NamedTuple):
    """The slices of those whose requests look alike to every limit; as long as `route` is the same object."""

    route: Route
    until: float
    slices: tuple[Slice, ...]


class LimitBook(RateLimits):
    """Belongs to one event loop. `quotas` keeps what has to outlive its store's memory: quotas of the
    calendar, and limits that take long to fill again; `counts` all others.

    `organisation_of` says whose a tenant is; empty: nobody's.
    """

    def __init__(
        self,
        counts: LimitExchange,
        quotas: LimitExchange,
        clock: Clock,
        organisation_of: Callable[[str], str] = lambda _tenant_id: "",
    ) -> None:
        self._counts = counts
        self._quotas = quotas
        self._clock = clock
        self._organisation_of = organisation_of
        self.limits: tuple[RateLimit, ...] = ()
        self._by_caller = False
        """Whether any limit tells apart what callers say of themselves."""
        self._known: OrderedDict[tuple[str, ...], Concerned] = OrderedDict()
        self._slices: OrderedDict[str, Slice] = OrderedDict()
        self.refusals: dict[str, int] = {}
        """By limit: requests it had no room for."""

    def replace(self, limits: Iterable[RateLimit]) -> bool:
        """Puts another set of limits in force; whether that changed anything. What was counted stays."""
        wanted = tuple(limits)
        if wanted == self.limits:
            return False
        self.limits = wanted
        said = {dimension for limit in wanted for dimension, _ in limit.scope.parts}
        self._by_caller = bool(said & _MADE_UP)
        self._known = OrderedDict()
        return True

    # The way of requests

    def admit(self, job: Job, route: Route) -> Awaitable[None] | None:
        if not self.limits or job.shadow is not None:
            return None  # what shadows are asked is nobody's share
        now = self._clock.monotonic()
        slices = self._concerning(job, route, now)
        if job.request.operation is Operation.COUNT_TOKENS:
            # A request, which uses none of the tokens that it counts.
            slices = tuple(each for each in slices if not each.of_tokens)
        if not slices:
            return None
        tokens = -1
        for each in slices:
            units = 1
            if each.of_tokens:
                tokens = units = self._tokens(job, slices) if tokens < 0 else tokens
            if each.left < units or now > each.use_until:
                return self._ask_and_take(job, slices, max(0, tokens))
        self._take(job, slices, tokens, now)
        return None

    @staticmethod
    def _take(job: Job, slices: tuple[Slice, ...], tokens: int, now: float) -> None:
        granted: list[int] = []
        for each in slices:
            units = tokens if each.of_tokens else 1
            each.left -= units
            each.used += units
            each.used_at = now
            granted.append(each.granted_at_us)
        job.limited = LimitCharge(slices, granted, tokens)

    async def _ask_and_take(self, job: Job, slices: tuple[Slice, ...], tokens: int) -> None:
        """Asks for what is missing and takes all, or nothing. Raises RateLimited, StoreUnavailable."""
        tokens = self._tokens(job, slices)
        for again in range(ROUNDS_MAX):
            now = self._clock.monotonic()
            missing: list[Slice] = []
            for each in slices:
                units = tokens if each.of_tokens else 1
                if each.has(units, now):
                    continue
                if each.refuses(units, now):
                    raise self._refusal(*_last_with_room(slices, tokens, now), slices, now)
                missing.append(each)
            if not missing:
                self._take(job, slices, tokens, now)
                return
            for each in missing:
                units = tokens if each.of_tokens else 1
                each.wait_for(units, units * ((1 << again) - 1))
            await self._ask(missing)
        now = self._clock.monotonic()
        lacks = next((s for s in slices if not s.has(tokens if s.of_tokens else 1, now)), slices[0])
        raise self._refusal(lacks, 1, slices, now)

    async def _ask(self, slices: Iterable[Slice]) -> None:
        counts = [each for each in slices if each.forgets_soon]
        quotas = [each for each in slices if not each.forgets_soon]
        if counts and quotas:
            await asyncio.gather(self._counts.ask(counts), self._quotas.ask(quotas))
        elif counts:
            await self._counts.ask(counts)
        else:
            await self._quotas.ask(quotas)

    def _tokens(self, job: Job, slices: tuple[Slice, ...]) -> int:
        """What the request is taken to use: never more than every limit could ever grant at once, as long as
        its input alone is not. Raises InvalidRequest."""
        sent, answered = estimated_tokens(job.request)
        most = sent + answered
        for each in slices:
            if not each.of_tokens:
                continue
            room_max = each.room_max
            if sent > room_max:
                raise too_large(each.account, sent, room_max)
            if most > room_max:
                most = room_max
        return most

    def _refusal(self, full: Slice, units: int, slices: tuple[Slice, ...], now: float) -> RateLimited:
        self.refusals[full.account.limit_id] = self.refusals.get(full.account.limit_id, 0) + 1
        now_us = int(self._clock.utc_now().timestamp() * 1e6)
        standings = tuple(each.standing(now, now_us) for each in slices)
        return limited(full.standing(now, now_us), full.wait_s(units, now), standings, now_us)

    def ended(self, job: Job, event: RequestEvent) -> None:
        charge = job.limited
        if charge is None or charge.corrected:
            return
        charge.corrected = True
        taken = charge.tokens
        if taken < 0:
            return
        # What is answered again costs its provider nothing, so it counts as a request alone.
        used = 0 if event.cache.startswith("hit") else event.input_tokens + event.output_tokens
        if used == taken:
            return
        now = self._clock.monotonic()
        for each, granted_at_us in zip(charge.slices, charge.granted_at_us, strict=True):
            if not each.of_tokens:
                continue
            if used < taken:
                each.give_back(taken - used, granted_at_us, now)
            else:
                each.owe(used - taken)

    def left(self, job: Job) -> None:
        charge = job.limited
        if charge is None or charge.corrected:
            return
        charge.corrected = True
        now = self._clock.monotonic()
        for each, granted_at_us in zip(charge.slices, charge.granted_at_us, strict=True):
            each.give_back(charge.tokens if each.of_tokens else 1, granted_at_us, now)

    def standings(self, job: Job) -> tuple[LimitStanding, ...]:
        """How the caller of an admitted request stands; empty: no limit concerns it."""
        charge = job.limited
        if charge is None:
            return ()
        return self._standings(charge.slices)

    def of_key(self, by: Principal) -> tuple[LimitStanding, ...]:
        """How a key stands with the limits on whatever it asks for; asks nobody."""
        spender = Spender(
            by.tenant_id,
            by.team,
            by.project,
            by.key_id,
            organisation=self._organisation_of(by.tenant_id),
        )
        return self._standings(self._slices_of(spender, self._clock.monotonic()))

    async def look_at(self, limit_id: str) -> tuple[LimitStanding, ...]:
        """How those stand who met a limit lately on this instance, the least left first; the store is asked.
        Raises StoreUnavailable."""
        met = [each for each in self._slices.values() if each.account.limit_id == limit_id][-SHOWN_MAX:]
        if met:
            await self._ask(met)
        return tuple(sorted(self._standings(met), key=lambda standing: standing.share_left))

    def _standings(self, slices: Iterable[Slice]) -> tuple[LimitStanding, ...]:
        now = self._clock.monotonic()
        now_us = int(self._clock.utc_now().timestamp() * 1e6)
        return tuple(each.standing(now, now_us) for each in slices)

    # Which limits concern whom

    def _concerning(self, job: Job, route: Route, now: float) -> tuple[Slice, ...]:
        principal = job.principal
        key: tuple[str, ...] = (principal.tenant_id, principal.key_id, route.name)
        if self._by_caller:
            who = job.attribution
            key = (*key, who.user_id, who.agent_id, who.session_id, who.workflow_id)
        known = self._known.get(key)
        if known is not None and known.route is route and now < known.until:
            return known.slices
        slices = self._slices_of(self._spender(job, route), now)
        ends = [each.account.period_end_us for each in slices if each.account.period_end_us is not None]
        until = now + REMEMBERED_S
        if ends:
            until = min(until, now + min(ends) / 1e6 - self._clock.utc_now().timestamp())
        self._known[key] = Concerned(route, until, slices)
        self._known.move_to_end(key)
        if len(self._known) > CALLERS_MAX:
            self._known.popitem(last=False)
        return slices

    def _slices_of(self, spender: Spender, now: float) -> tuple[Slice, ...]:
        at = self._clock.utc_now()
        found = []
        for limit in self.limits:
            for account in accounts_of(limit, spender, at):
                known = self._slices.get(account.account_id)
                if known is None or known.account != account:
                    known = self._slices[account.account_id] = Slice(account, now)
                    if len(self._slices) > SLICES_MAX:
                        self._slices.popitem(last=False)
                self._slices.move_to_end(account.account_id)
                found.append(known)
        return tuple(found)

    def _spender(self, job: Job, route: Route) -> Spender:
        principal, who = job.principal, job.attribution
        models = {(member.target.provider, member.target.model) for member in route.targets}
        names = {model for _, model in models}
        return Spender(
            principal.tenant_id,
            principal.team,
            principal.project,
            principal.key_id,
            who.user_id,
            who.agent_id,
            who.session_id,
            who.workflow_id,
            # Known before a target is chosen only where all targets offer the same model.
            next(iter(names)) if len(names) == 1 else "",
            next(iter(models))[0] if len(models) == 1 else "",
            route.name,
            self._organisation_of(principal.tenant_id),
        )

    # Beside requests

    async def run(self) -> None:
        """Looks after the slices until cancelled."""
        tidied = self._clock.monotonic()
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                await self.look()
                if self._clock.monotonic() - tidied > TIDY_EVERY_S:
                    tidied = self._clock.monotonic()
                    await asyncio.gather(self._counts.tidy(), self._quotas.tidy())
            except StoreUnavailable as error:
                log.warning("rate limits: %s", error.message)

    async def look(self) -> None:
        """Gives back what is idle. Raises StoreUnavailable."""
        now = self._clock.monotonic()
        due = [each for each in self._slices.values() if each.is_due(now)]
        if due:
            await self._ask(due)

    async def aclose(self) -> None:
        """Gives back what is left, where the store can be told. Idempotent."""
        due = [each for each in self._slices.values() if each.left > 0 or each.credits or each.debt]
        try:
            if due:
                await self._ask(due)
        except StoreUnavailable:
            log.warning("rate limits: what this instance had leased ends by itself")
        finally:
            self._slices = OrderedDict()
            await self._counts.aclose()
            await self._quotas.aclose()


def _last_with_room(slices: Iterable[Slice], tokens: int, now: float) -> tuple[Slice, int]:
    """Of several limits that refuse, the one that somebody would wait for longest, and for how many units."""
    refusing = [
        (each, units)
        for each in slices
        if not each.has(units := tokens if each.of_tokens else 1, now) and each.refuses(units, now)
    ]
    return max(refusing, key=lambda one: one[0].wait_s(one[1], now))
