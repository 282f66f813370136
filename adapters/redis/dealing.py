"""Dealing out one pool: what is said to Redis about accounts, and what it answers."""

import hashlib
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from adapters.redis.connection import RedisConnection, ScriptCall
from adapters.redis.lease_scripts import EXCHANGE, LEAVE, LOOK, REMEMBER, UNDO
from application.ports.ledger import LeaseAnswer, LeaseLine
from domain.budgets.budget import Account
from domain.budgets.lease import SHARE_OF_FREE, SLICE_FLOOR_DIVISOR, AccountState
from domain.budgets.ledger import WANTED_FOR_US

KEEP_S: Final = 7 * 86_400
"""How long an account that nobody touches is remembered. Forgetting one that somebody still holds something
of would cost that process its lease of everything, so it is longer than anything is held."""
IDLE_US: Final = 2_000_000
"""How long nothing was dealt out of an account before what is left of it goes back to the ledger."""
KEYS_PER_CALL: Final = 200
_LOST: Final = "LOST"
_NEW: Final = "NEW"
_UNDECLARED: Final = ""
"""The digest of no declaration: nothing is dealt to whoever says it, and what the pool has left goes back."""


class PoolLost(Exception):
    """Redis does not know any more what was dealt out of this pool, or not for sure."""


class Dealt(NamedTuple):
    """What Redis answers about one account (see `lease_scripts.EXCHANGE`)."""

    account: Account
    status: str
    granted_total: int = 0
    granted_now: int = 0
    number: int = 0
    returned: int = 0
    """Everything the pool gave back so far."""
    free: int = 0
    """What the pool could still deal out; below zero after bills beyond their bounds."""
    state: AccountState | None = None
    wanted: bool = False
    low: bool = False
    """The pool had less than would have been fair."""
    told: bool = False
    """The pool gives something back that the ledger has not heard of."""
    old: bool = False
    """The figures are not of this moment."""

    @property
    def lacks(self) -> bool:
        return self.status != "OK"

    def answer(self, less: int = 0) -> LeaseAnswer:
        """For the member; `less` was taken back again."""
        state = self.state or AccountState(self.account.account_id, self.account.limit_nano_usd, 0, 0, 0)
        if less:
            state = state._replace(leased_nano_usd=max(0, state.leased_nano_usd - less))
        return LeaseAnswer(self.granted_total - less, state, self.wanted, max(0, self.granted_now - less))


class News(NamedTuple):
    """What the ledger just answered to the pool, and the number of the answer it was asked after: put in
    once."""

    answer: LeaseAnswer
    number: int


class PoolTotals(NamedTuple):
    """Of one account of a pool: what was put in here, and what it gave back so far."""

    granted: int
    returned: int


class Dealer:
    """Speaks about one pool. Every method raises StoreUnavailable, and PoolLost."""

    def __init__(self, redis: RedisConnection, pool: str, fresh_for_us: int) -> None:
        self.pool = pool
        self._redis = redis
        self._fresh_for_us = fresh_for_us

    async def deal(
        self,
        holder: str,
        lines: Sequence[tuple[LeaseLine, int]],
        news: Sequence[News | None],
        now_us: int,
        unknown: Sequence[str] = (),
    ) -> list[Dealt]:
        """Lines with the total the holder knows of, in one round trip; with what the ledger just answered to
        the pool. `unknown` accounts are dealt from for the first time."""
        calls = [
            ScriptCall(EXCHANGE, self._key(line.account.account_id), self._arguments(holder, *each, now_us))
            for each in zip(lines, news, strict=True)
            for line in (each[0][0],)
        ]
        if unknown:
            calls.append(ScriptCall(REMEMBER, self._dealt_key(holder), (KEEP_S, *unknown)))
        answers = await self._redis.run(calls)
        return [_read(line.account, answer) for (line, _), answer in zip(lines, answers, strict=False)]

    def _arguments(
        self, holder: str, line_and_known: tuple[LeaseLine, int], news: News | None, now_us: int
    ) -> tuple[str | int, ...]:
        line, known = line_and_known
        totals = (known, max(0, line.returned_total), max(0, line.posted_total))
        asked = (max(0, line.need), max(0, line.want))
        arguments = self._said(holder, (*totals, *asked), now_us, _digest(line.account))
        if news is None:
            return arguments
        told, state = news.answer, news.answer.state
        return (
            *arguments,
            told.granted_now,
            state.limit_nano_usd,
            state.spent_nano_usd,
            state.unresolved_nano_usd,
            state.leased_nano_usd,
            now_us + WANTED_FOR_US if told.wanted else 0,
            news.number,
        )

    def _said(
        self, holder: str, amounts: tuple[int, int, int, int, int], now_us: int, digest: str
    ) -> tuple[str | int, ...]:
        rule = (self._fresh_for_us, IDLE_US, KEEP_S, SHARE_OF_FREE, SLICE_FLOOR_DIVISOR)
        return (holder, *amounts, now_us, digest, *rule)

    async def take_back(self, holder: str, dealt: Iterable[Dealt]) -> None:
        """Undoes what these answers granted, unless the holder was answered since."""
        calls = [
            ScriptCall(UNDO, self._key(each.account.account_id), (holder, each.number, each.granted_now))
            for each in dealt
        ]
        if calls:
            _check(await self._redis.run(calls))

    async def accounts_of(self, holder: str) -> set[str]:
        """Where the holder was dealt anything."""
        members = await self._redis.call("SMEMBERS", self._dealt_key(holder))
        return {str(member) for member in members}

    async def dealt_to(self, holder: str, account_ids: Sequence[str]) -> dict[str, int]:
        """What it was dealt and has not given back, by account."""
        found: dict[str, int] = {}
        for some in _chunks(account_ids):
            answers = await self._redis.run([ScriptCall(LOOK, self._key(each), (holder,)) for each in some])
            _check(answers)
            found |= {
                each: int(answer[1]) for each, answer in zip(some, answers, strict=True) if answer[0] == "OK"
            }
        return found

    async def end(
        self, holder: str, account_ids: Sequence[str], charged: dict[str, int], booked: dict[str, int]
    ) -> None:
        """Ends a member's part of these accounts: what it was charged stays dealt out, or what was booked for
        it leaves the pool."""
        for some in _chunks(account_ids):
            calls = [
                ScriptCall(LEAVE, self._key(each), (holder, charged.get(each, 0), booked.get(each, 0)))
                for each in some
            ]
            _check(await self._redis.run(calls))

    async def give_back(self, account_ids: Sequence[str], now_us: int) -> dict[str, PoolTotals]:
        """Gives back what the pool has left of these accounts, as a look at them does. The ledger is to be
        told of the totals; those of before stand in them, so that it can be done again."""
        found: dict[str, PoolTotals] = {}
        for some in _chunks(account_ids):
            # The pool itself looks: the script remembers who did.
            said = self._said(self.pool, (0, 0, 0, 0, 0), now_us, _UNDECLARED)
            answers = await self._redis.run([ScriptCall(EXCHANGE, self._key(each), said) for each in some])
            _check(answers)
            found |= {
                each: PoolTotals(int(answer[14]), int(answer[4]))
                for each, answer in zip(some, answers, strict=True)
                if answer[0] != _NEW
            }
        return found

    async def forget(self, holder: str) -> None:
        """Once nothing that it was dealt concerns anybody any more."""
        await self._redis.call("DEL", self._dealt_key(holder))

    def _key(self, account_id: str) -> str:
        return f"ic:{{{account_id}}}:lease:{self.pool}"

    def _dealt_key(self, holder: str) -> str:
        return f"ic:{{{holder}}}:dealt:{self.pool}"


def _read(account: Account, answer: Any) -> Dealt:
    status = str(answer[0])
    if status == _LOST:
        raise PoolLost(account.account_id)
    if status == _NEW:
        return Dealt(account, status)
    total, granted, number, returned, free, limit, spent, unresolved, leased = map(int, answer[1:10])
    # What the pool has left is leased to nobody, whatever the ledger says.
    leased = max(0, leased - max(0, free))
    wanted, low, told, old = (flag == "1" for flag in answer[10:14])
    state = AccountState(account.account_id, limit, spent, unresolved, leased)
    return Dealt(account, status, total, granted, number, returned, free, state, wanted, low, told, old)


def _check(answers: Sequence[Any]) -> None:
    if any(answer[0] == _LOST for answer in answers):
        raise PoolLost


def _chunks(account_ids: Sequence[str]) -> Iterable[Sequence[str]]:
    return (account_ids[start : start + KEYS_PER_CALL] for start in range(0, len(account_ids), KEYS_PER_CALL))


@lru_cache(maxsize=4096)
def _digest(account: Account) -> str:
    """Changes when the account is declared differently."""
    return hashlib.blake2s(repr(account).encode(), digest_size=8).hexdigest()
