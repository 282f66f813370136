"""Leases dealt out of a pool in Redis, in front of the ledger in the database.

For the ledger, a pool is one holder: it takes larger slices, and every posting of its members is charged to
it. Redis deals the pool's slices out. It can be lost, be restarted empty, or come back without its last
writes: then its data is of another reign, nothing more is dealt out of that pool, and members go on in a new
one. What the old one had granted counts as leased until its members have posted what they spent and left;
the last one to leave closes it, and the ledger alone says what comes free. Nothing is ever reseeded.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, TypeVar

from adapters.redis.connection import RedisConnection
from adapters.redis.dealing import Dealer, Dealt, News, PoolLost
from adapters.redis.endings import PartEndings
from application.ports.ledger import Exchange, HolderFenced, LeaseLine, LedgerStore
from application.ports.ledger_pools import LedgerPools
from domain.budgets.budget import Account
from domain.budgets.ledger import HolderState
from domain.budgets.pool import Membership
from domain.budgets.posting import Posting
from domain.errors import StoreUnavailable

log = logging.getLogger("interchange")

FRESH_FOR_S: Final = 1.0
BEAT_EVERY_US: Final = 5_000_000
BEAT_LATEST_US: Final = 15_000_000
BEAT_AGAIN_US: Final = 1_000_000
BESIDE_REQUESTS_S: Final = 1.0
"""How long the ledger is waited for where nobody waits for its answer."""
RETIRE_AGAIN_US: Final = 60_000_000
POOL_SLICE: Final = 4
"""A pool asks for this many times what the member wants that finds it empty."""
ROUNDS_MAX: Final = 5
WATCHED_MAX: Final = 10_000
LOOKS_MAX: Final = 200
_NOT_YET: Final = 0
Result = TypeVar("Result")


class _Member:
    """A holder that speaks through this object."""

    def __init__(self, holder: str, dealer: Dealer) -> None:
        self.holder = holder
        self.dealer = dealer
        self.asking = asyncio.Lock()
        self.known: dict[str, int] = {}
        """What Redis said was granted, by account; less than that, and it has forgotten something."""
        self.watched: dict[str, Account] = {}
        """Accounts of which the pool still had something, or has something to tell."""
        self.beat_at_us = 0

    def watch(self, account: Account) -> None:
        """Behind all others, so that each has its turn to be looked at."""
        self.watched.pop(account.account_id, None)
        if len(self.watched) < WATCHED_MAX:
            self.watched[account.account_id] = account


class RedisLedger(LedgerStore):
    """Belongs to one event loop. `new_pool` makes names for pools, without spaces or commas.

    Postings go to the ledger. An exchange about accounts the pool has room for is one round trip to Redis;
    otherwise the ledger is asked once more, for the whole pool.
    """

    def __init__(
        self,
        truth: LedgerStore,
        pools: LedgerPools,
        redis: RedisConnection,
        new_pool: Callable[[], str],
        *,
        fresh_for_s: float = FRESH_FOR_S,
    ) -> None:
        self._truth = truth
        self._pools = pools
        self._redis = redis
        self._new_pool = new_pool
        self._fresh_for_us = int(fresh_for_s * 1e6)
        self._endings = PartEndings(pools, redis, self._fresh_for_us)
        self._members: dict[str, _Member] = {}
        self._running: set[asyncio.Task[Any]] = set()
        self._lost: set[str] = set()
        """Pools that were found lost and could not be retired yet."""
        self._doubtful: set[str] = set()
        """Pools that may have been granted something nobody heard of."""
        self._retired_at_us: int | None = None
        self.visits = 0
        """How often the ledger was asked on behalf of a pool."""
        self.pools_lost = 0

    async def open(self, holder: str, now_us: int) -> str:
        await self._redis.ping()
        pool = await self._pools.join(holder, self._new_pool(), now_us)
        if pool in self._lost:
            await self._retire(pool)
            raise StoreUnavailable(
                "the pool of leases in Redis was lost; a new one is made", retry_after_s=1.0
            )
        self._members.setdefault(holder, _Member(holder, Dealer(self._redis, pool, self._fresh_for_us)))
        return pool

    async def exchange(self, holder: str, lines: Sequence[LeaseLine], now_us: int) -> Exchange:
        return await self._to_the_end(self._exchange(holder, lines, now_us))

    async def _exchange(self, holder: str, lines: Sequence[LeaseLine], now_us: int) -> Exchange:
        member = await self._member(holder)
        async with member.asking:
            try:
                await self._beat(member, now_us, lines)
                return await self._ask(member, lines, now_us)
            except PoolLost:
                await self._given_up(member.dealer.pool)
                raise HolderFenced(holder) from None
            except StoreUnavailable:
                for line in lines:  # the pool may have given something back that the ledger has not heard of
                    member.watch(line.account)
                raise

    async def _member(self, holder: str) -> _Member:
        found = self._members.get(holder)
        if found is None:
            pool = await self._pools.pool_of(holder)
            if pool is None:
                raise HolderFenced(holder)
            found = self._members.setdefault(
                holder, _Member(holder, Dealer(self._redis, pool, self._fresh_for_us))
            )
        return found

    # Asking

    async def _ask(self, member: _Member, lines: Sequence[LeaseLine], now_us: int) -> Exchange:
        """One round trip, and more only for what the pool cannot answer."""
        asked = [*lines, *_looks(member, lines)]
        results = await self._deal(member, asked, [None] * len(asked), now_us)
        refused: str | None = None
        for number in range(ROUNDS_MAX):
            places = [
                place
                for place, each in enumerate(results)
                if each.lacks or (not number and _concerns_ledger(asked[place], each))
            ]
            if not places or refused is not None:
                break
            some, dealt = [asked[place] for place in places], [results[place] for place in places]
            try:
                news, refused = await self._visit(member, some, dealt, now_us)
            except StoreUnavailable:
                if any(each.lacks for each in dealt):
                    raise
                # The pool has what was asked for; figures, and what it gives back, can be told later.
                for place in places:
                    results[place] = results[place]._replace(told=True)
                break
            more = [_rest(line, each) for line, each in zip(some, dealt, strict=True)]
            try:
                fresh = await self._deal(member, more, news, now_us)
            except StoreUnavailable:
                if any(each.answer.granted_now for each in news):
                    self._doubtful.add(member.dealer.pool)
                raise
            for place, each in zip(places, fresh, strict=True):
                results[place] = each._replace(granted_now=each.granted_now + results[place].granted_now)
        return await self._finish(member, lines, results, refused)

    async def _deal(
        self,
        member: _Member,
        lines: Sequence[LeaseLine],
        news: Sequence[News | None],
        now_us: int,
    ) -> list[Dealt]:
        if not lines:
            return []
        ids = [line.account.account_id for line in lines]
        unknown = [each for each in ids if each not in member.known]
        known = [(line, member.known.get(each, 0)) for line, each in zip(lines, ids, strict=True)]
        dealt = await member.dealer.deal(member.holder, known, news, now_us, unknown)
        for each in unknown:
            member.known[each] = 0
        return dealt

    async def _visit(
        self, member: _Member, lines: Sequence[LeaseLine], dealt: Sequence[Dealt], now_us: int
    ) -> tuple[list[News], str | None]:
        """What the ledger grants the pool, and the account it refuses."""
        visit = [_pools_line(line, each) for line, each in zip(lines, dealt, strict=True)]
        pool = member.dealer.pool
        self.visits += 1
        urgent = any(line.need for line in lines)
        try:
            call = self._truth.exchange(pool, visit, now_us)
            exchange = await (call if urgent else _soon(call))
        except StoreUnavailable:
            if any(line.need or line.want for line in visit):
                self._doubtful.add(pool)
            raise
        except HolderFenced:
            raise PoolLost(pool) from None
        news = [News(answer, each.number) for answer, each in zip(exchange.answers, dealt, strict=True)]
        return news, exchange.refused

    async def _finish(
        self, member: _Member, lines: Sequence[LeaseLine], results: list[Dealt], named: str | None
    ) -> Exchange:
        # Where the ledger refused, the pool may have had room again a moment later.
        short = [each.account.account_id for each in results if each.lacks]
        refused = named if named in short else next(iter(short), None)
        if refused is not None:
            # All or none: what was dealt out on other accounts goes back, before anybody is told of it.
            await member.dealer.take_back(member.holder, [each for each in results if each.granted_now])
        answers = []
        for each in results:
            account_id = each.account.account_id
            answer = each.answer(each.granted_now if refused is not None else 0)
            answers.append(answer)
            member.known[account_id] = max(member.known[account_id], answer.granted_total)
            if each.free > 0 or each.told or (refused is not None and each.granted_now):
                member.watch(each.account)
            else:
                member.watched.pop(account_id, None)
        return Exchange(tuple(answers[: len(lines)]), refused)

    # Living and dying

    async def _beat(self, member: _Member, now_us: int, lines: Sequence[LeaseLine]) -> None:
        """A sign of life, rarely where somebody waits. Raises HolderFenced; a ledger that cannot be asked is
        asked later."""
        every_us = BEAT_LATEST_US if any(line.need for line in lines) else BEAT_EVERY_US
        if lines and 0 <= now_us - member.beat_at_us < every_us:
            return
        try:
            standing = await _soon(self._pools.beat(member.holder, now_us))
            if standing is not Membership.OPEN:
                raise HolderFenced(member.holder)
            member.beat_at_us = now_us
            await self._clear_doubts(member.dealer.pool, now_us)
        except StoreUnavailable:
            member.beat_at_us = now_us - BEAT_EVERY_US + BEAT_AGAIN_US

    async def _clear_doubts(self, pool: str, now_us: int) -> None:
        """What was granted while nobody could listen is in no hash; it comes free with a new pool."""
        if pool not in self._doubtful:
            return
        if self._retired_at_us is None or now_us - self._retired_at_us >= RETIRE_AGAIN_US:
            self._retired_at_us = now_us
            await self._retire(pool)
            raise HolderFenced(pool)

    async def _given_up(self, pool: str) -> None:
        if pool not in self._lost:
            self._lost.add(pool)
            self.pools_lost += 1
            log.warning("Redis lost what it knew of budget leases; they are taken anew from the database")
        with contextlib.suppress(StoreUnavailable):  # whoever opens a holder tries again
            await self._retire(pool)

    async def _retire(self, pool: str) -> None:
        await self._pools.retire(pool)
        self._doubtful.discard(pool)
        self._lost.discard(pool)

    async def close(self, holder: str, now_us: int) -> None:
        await self._to_the_end(self._close(holder, now_us))

    async def _close(self, holder: str, now_us: int) -> None:
        pool = await self._pools.pool_of(holder)
        if pool is None:
            await self._truth.close(holder, now_us)
            return
        members = await self._pools.members(pool)
        mine = any(each.holder == holder for each in members)
        if mine and len(members) > 1:
            adopted = holder not in self._members
            sound = await self._endings.end(pool, holder, now_us, adopted=adopted)
            if not sound or pool in self._doubtful:
                # The ledger counts as leased what nobody knows of, until all members have left.
                await self._retire(pool)
        await self._pools.leave(holder, now_us)
        self._members.pop(holder, None)

    async def post(self, postings: Sequence[Posting], now_us: int) -> None:
        await self._truth.post(postings, now_us)

    async def give_up_lost(self, silent_since_us: int, book_before_us: int, now_us: int) -> int:
        await self._truth.give_up_lost(silent_since_us, _NOT_YET, now_us)
        for pool in set(await self._pools.in_use()) - self._lost:
            for member in await self._pools.members(pool):
                if member.state is not HolderState.OPEN and member.seen_us < book_before_us:
                    await self._book(pool, member.holder, now_us)
        return await self._truth.give_up_lost(silent_since_us, book_before_us, now_us)

    async def _book(self, pool: str, holder: str, now_us: int) -> None:
        try:
            if not await self._endings.book(pool, holder, now_us):
                await self._retire(pool)
        except PoolLost:
            await self._given_up(pool)
        except StoreUnavailable as error:
            log.warning("what a lost instance had leased from the pool was not booked: %s", error)

    async def _to_the_end(self, work: Coroutine[Any, Any, Result]) -> Result:
        """What has begun is finished, also when the caller has gone: half of it would be lost otherwise."""
        task = asyncio.ensure_future(work)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # a caller that has gone does not read it


async def _soon(call: Coroutine[Any, Any, Result]) -> Result:
    try:
        async with asyncio.timeout(BESIDE_REQUESTS_S):
            return await call
    except TimeoutError:
        raise StoreUnavailable("the ledger is slow", retry_after_s=1.0) from None


def _looks(member: _Member, lines: Sequence[LeaseLine]) -> list[LeaseLine]:
    """Beside an exchange that nobody waits for: a look at accounts of which the pool had something left."""
    if not member.watched or any(line.need for line in lines):
        return []
    told = {line.account.account_id for line in lines}
    some = [account for each, account in member.watched.items() if each not in told]
    return [LeaseLine(account) for account in some[:LOOKS_MAX]]


def _concerns_ledger(line: LeaseLine, dealt: Dealt) -> bool:
    """Where the pool has enough, whoever waits for something does not wait for the ledger as well."""
    return not line.need and (dealt.low or dealt.told or dealt.old)


def _rest(line: LeaseLine, dealt: Dealt) -> LeaseLine:
    """What is still to be dealt once the ledger was asked."""
    if dealt.lacks:
        return line
    return line._replace(want=max(0, line.want - dealt.granted_now) if dealt.low else 0)


def _pools_line(line: LeaseLine, dealt: Dealt) -> LeaseLine:
    """What the pool says and wants. It makes up for bills beyond their bounds, and takes more than is asked
    for, but only where somebody asks."""
    returned = LeaseLine(line.account, dealt.returned)
    if dealt.lacks and (line.need or line.want):
        beyond = max(0, -dealt.free)
        return returned._replace(need=line.need + beyond, want=POOL_SLICE * (line.need + line.want))
    if dealt.low:
        return returned._replace(want=POOL_SLICE * line.want)
    return returned
