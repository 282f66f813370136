"""Making, changing and removing rate limits through the API. What the file declares is the file's.

A limit belongs to the tenant whose key made it. A tenant sees its own limits and those that are set on it; it
changes only its own. Limits over other tenants, or over several, are for those who manage tenants.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from application.budget_format import from_us, to_us
from application.limit_book import LimitBook
from application.limit_format import limit_body, read_limit
from application.ports.limits import LimitStore, StoredLimit
from application.ports.system import Clock, IdFactory
from application.use_cases.follow_limits import same_name
from domain.budgets.scope import EACH, Dimension
from domain.errors import Conflict, Forbidden, InvalidRequest, NotFound, OwnedByFile, StoreUnavailable
from domain.limits.limit import LimitTerms, RateLimit, make_limit
from domain.limits.standing import LimitStanding
from domain.tenancy.key_rules import check_tenant
from domain.tenancy.principal import Principal

LIMITS_PER_TENANT_MAX: Final = 1_000
READ: Final = "limits.read"
WRITE: Final = "limits.write"


class LimitKeeping(NamedTuple):
    """What the running configuration knows that limits depend on."""

    declared: Callable[[], Sequence[RateLimit]]
    declared_in: Callable[[str], str | None]
    """Where the file declares the limit of that name, such as `interchange.yaml:12`."""
    changed: Callable[[], Awaitable[None]]
    """Told after a change, so that this instance follows at once; the others do within a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitRecord:
    """A limit with its history; times are None for declared ones."""

    limit: RateLimit
    declared_in: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


class ManageLimits:
    """Every change is in force on this instance when it returns, and within a second on all. `book` is None
    where no requests are served."""

    def __init__(
        self, store: LimitStore, clock: Clock, ids: IdFactory, keeping: LimitKeeping, book: LimitBook | None
    ) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._keeping = keeping
        self._book = book

    async def all(self, by: Principal, tenant_id: str | None = None) -> list[LimitRecord]:
        """Those of the file first, then by age: of one tenant, or of all that `by` may see.

        Raises Forbidden, StoreUnavailable.
        """
        check_tenant(by, by.tenant_id if tenant_id is None else tenant_id, READ)
        everyone = tenant_id is None and by.may("tenants.manage")
        wanted = tenant_id or by.tenant_id
        found = [record for record in await self._every() if everyone or concerns(record.limit, wanted)]
        return sorted(found, key=_age)

    async def one(self, by: Principal, limit_id: str) -> LimitRecord:
        """Raises NotFound (also for another tenant's), Forbidden, StoreUnavailable."""
        check_tenant(by, by.tenant_id, READ)
        for record in await self._every():
            if record.limit.limit_id == limit_id and may_see(by, record.limit):
                return record
        raise _unknown(limit_id)

    async def accounts(self, by: Principal, limit_id: str) -> tuple[LimitRecord, tuple[LimitStanding, ...]]:
        """A limit, and how those stand who met it lately on this instance, as the store tells. Raises as
        `one`."""
        record = await self.one(by, limit_id)
        return record, () if self._book is None else await self._book.look_at(limit_id)

    async def create(self, by: Principal, terms: LimitTerms) -> LimitRecord:
        """Raises InvalidRequest (names the field), Forbidden, Conflict (name taken, too many), OwnedByFile,
        StoreUnavailable."""
        check_tenant(by, by.tenant_id, WRITE)
        limit = make_limit(terms, limit_id=self._ids.next("lim"), owner=by.tenant_id)
        _check_reach(by, limit)
        every = await self._every()
        self._check_name(limit, every)
        if sum(1 for each in every if _stored_by(each, limit.owner)) >= LIMITS_PER_TENANT_MAX:
            raise Conflict(
                f"this tenant made {LIMITS_PER_TENANT_MAX} rate limits; no more are kept. One with * in its "
                "scope counts every value for itself"
            )
        now = self._clock.utc_now()
        await self._put(limit, created_at=now, now=now)
        return LimitRecord(limit=limit, created_at=now, updated_at=now)

    async def replace(self, by: Principal, limit_id: str, terms: LimitTerms) -> LimitRecord:
        """What was used of a quota stays used; another rate begins anew, with its burst. Whose requests it
        counts cannot change. Raises as `create`, and NotFound."""
        old = await self._writable(by, limit_id)
        limit = make_limit(terms, limit_id=limit_id, owner=old.limit.owner)
        _check_reach(by, limit)
        if limit.scope != old.limit.scope:
            raise InvalidRequest(
                f"a rate limit's scope cannot change (it is {old.limit.scope.describe()}): what was taken "
                "was counted by it; make another limit",
                param="scope",
            )
        self._check_name(limit, await self._every())
        now = self._clock.utc_now()
        created = old.created_at or now
        await self._put(limit, created_at=created, now=now)
        return LimitRecord(limit=limit, created_at=created, updated_at=now)

    async def remove(self, by: Principal, limit_id: str) -> LimitRecord:
        """Its last state. Raises NotFound, Forbidden, OwnedByFile, StoreUnavailable."""
        record = await self._writable(by, limit_id)
        if not await self._store.delete(record.limit.owner, limit_id):
            raise _unknown(limit_id)
        await self._tell()
        return record

    def _check_name(self, limit: RateLimit, every: Sequence[LimitRecord]) -> None:
        for record in every:
            other = record.limit
            if other.limit_id == limit.limit_id or not same_name(limit, other):
                continue
            if other.declared:
                raise _owned_by_file(other, record.declared_in)
            raise Conflict(f"another rate limit is called {limit.name!r} ({other.limit_id})", param="name")

    async def _writable(self, by: Principal, limit_id: str) -> LimitRecord:
        check_tenant(by, by.tenant_id, WRITE)
        for record in await self._every():
            limit = record.limit
            if limit.limit_id != limit_id or not may_see(by, limit):
                continue
            if limit.declared:
                raise _owned_by_file(limit, record.declared_in)
            if limit.owner != by.tenant_id and not by.may("tenants.manage"):
                raise Forbidden("this rate limit was set on your tenant by whoever runs the installation")
            return record
        raise _unknown(limit_id)

    async def _put(self, limit: RateLimit, *, created_at: datetime, now: datetime) -> None:
        await self._store.put(
            StoredLimit(
                limit.limit_id, limit.owner, limit.name, limit_body(limit), to_us(created_at), to_us(now)
            )
        )
        await self._tell()

    async def _every(self) -> list[LimitRecord]:
        records = [
            LimitRecord(limit=limit, declared_in=self._keeping.declared_in(limit.name))
            for limit in self._keeping.declared()
        ]
        for stored in await self._store.all():
            with suppress(InvalidRequest):  # told by whoever follows the store
                records.append(
                    LimitRecord(
                        limit=read_limit(stored),
                        created_at=from_us(stored.created_at_us),
                        updated_at=from_us(stored.updated_at_us),
                    )
                )
        return records

    async def _tell(self) -> None:
        # The change is in the store already; a slow start of using it is no reason to report a failure.
        with suppress(StoreUnavailable):
            await self._keeping.changed()


def concerns(limit: RateLimit, tenant_id: str) -> bool:
    """Whether a limit is a tenant's own, or set on it alone."""
    return tenant_id in (limit.owner, limit.scope.tenant)


def may_see(by: Principal, limit: RateLimit) -> bool:
    """Whether its figures are the caller's business."""
    return concerns(limit, by.tenant_id) or by.may("tenants.manage")


def _check_reach(by: Principal, limit: RateLimit) -> None:
    if by.may("tenants.manage"):
        return
    if limit.scope.tenant is None:
        dimension = "tenant: *" if (Dimension.TENANT, EACH) in limit.scope.parts else "no tenant"
        raise Forbidden(
            f"a scope with {dimension} counts other tenants' requests; name your own: "
            f'{{"tenant": "{by.tenant_id}", …}}',
            param="scope.tenant",
        )
    check_tenant(by, limit.scope.tenant, WRITE)


def _stored_by(record: LimitRecord, owner: str) -> bool:
    return not record.limit.declared and record.limit.owner == owner


def _age(record: LimitRecord) -> tuple[bool, int]:
    return (record.created_at is not None, 0 if record.created_at is None else to_us(record.created_at))


def _unknown(limit_id: str) -> NotFound:
    return NotFound(f"no rate limit {limit_id[:200]!r} in this tenant", param="limit_id")


def _owned_by_file(limit: RateLimit, place: str | None) -> OwnedByFile:
    return OwnedByFile(
        f"the rate limit {limit.name!r} is declared in {place or 'the configuration'}; change it there, or "
        "take it out there first",
        param="name",
        details={"owner": "file", "declared_in": place},
    )
