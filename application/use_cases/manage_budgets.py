"""Making, changing and removing budgets through the API. What the file declares is the file's.

A budget belongs to the tenant whose key made it. A tenant sees its own budgets and those that are set on it;
it changes only its own. Budgets over other tenants, or over several, are for those who manage tenants.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, NamedTuple

from application.budget_format import budget_body, from_us, read_budget, to_us
from application.ports.budgets import BudgetStore, StoredBudget
from application.ports.keys import KeyStore
from application.ports.system import Clock, IdFactory
from domain.budgets.budget import Budget
from domain.budgets.scope import EACH, Dimension
from domain.budgets.terms import BudgetTerms, make_budget, names_one, same_name
from domain.errors import Conflict, Forbidden, InvalidRequest, NotFound, OwnedByFile, StoreUnavailable
from domain.tenancy.key_rules import check_tenant
from domain.tenancy.patterns import matches_any
from domain.tenancy.principal import Principal

BUDGETS_PER_TENANT_MAX: Final = 1_000
READ: Final = "budgets.read"
WRITE: Final = "budgets.write"


class BudgetKeeping(NamedTuple):
    """What the running configuration knows that budgets depend on."""

    declared: Callable[[], Sequence[Budget]]
    declared_in: Callable[[str], str | None]
    """Where the file declares the budget of that name, such as `interchange.yaml:12`."""
    first_alert: Callable[[], float]
    route_exists: Callable[[str], bool]
    changed: Callable[[], Awaitable[None]]
    """Told after a change, so that this instance follows at once; the others do within a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetRecord:
    """A budget with its history; times are None for declared ones."""

    budget: Budget
    declared_in: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


class ManageBudgets:
    """Every change is in force on this instance when it returns, and within a second on all."""

    def __init__(
        self, store: BudgetStore, keys: KeyStore, clock: Clock, ids: IdFactory, keeping: BudgetKeeping
    ) -> None:
        self._store = store
        self._keys = keys
        self._clock = clock
        self._ids = ids
        self._keeping = keeping

    async def all(self, by: Principal, tenant_id: str | None = None) -> list[BudgetRecord]:
        """Those of the file first, then by age: of one tenant, or of all that `by` may see.

        Raises Forbidden, StoreUnavailable.
        """
        check_tenant(by, by.tenant_id if tenant_id is None else tenant_id, READ)
        everyone = tenant_id is None and by.may("tenants.manage")
        wanted = tenant_id or by.tenant_id
        found = [record for record in await self._every() if everyone or concerns(record.budget, wanted)]
        return sorted(found, key=_age)

    async def one(self, by: Principal, budget_id: str) -> BudgetRecord:
        """Raises NotFound (also for another tenant's), Forbidden, StoreUnavailable."""
        check_tenant(by, by.tenant_id, READ)
        for record in await self._every():
            if record.budget.budget_id == budget_id and may_see(by, record.budget):
                return record
        raise NotFound(f"no budget {budget_id[:200]!r} in this tenant", param="budget_id")

    async def create(self, by: Principal, terms: BudgetTerms, *, new_key: str = "") -> BudgetRecord:
        """`new_key` is the id of a key that is about to be made.

        Raises InvalidRequest (names the field), Forbidden, Conflict (name taken, too many), OwnedByFile,
        StoreUnavailable."""
        check_tenant(by, by.tenant_id, WRITE)
        budget = await self._made(by, terms, self._ids.next("bud"), by.tenant_id, new_key)
        every = await self._every()
        self._check_name(budget, every)
        if sum(1 for each in every if _stored_by(each, budget.owner)) >= BUDGETS_PER_TENANT_MAX:
            raise Conflict(
                f"this tenant made {BUDGETS_PER_TENANT_MAX} budgets; no more are kept. One budget with * in "
                "its scope counts every value for itself"
            )
        now = self._clock.utc_now()
        await self._put(budget, created_at=now, now=now)
        return BudgetRecord(budget=budget, created_at=now, updated_at=now)

    async def replace(self, by: Principal, budget_id: str, terms: BudgetTerms) -> BudgetRecord:
        """What was spent under it stays spent. Whose spending it counts cannot change.

        Raises as `create`, and NotFound.
        """
        old = await self._writable(by, budget_id)
        budget = await self._made(by, terms, budget_id, old.budget.owner)
        if budget.scope != old.budget.scope:
            raise InvalidRequest(
                f"a budget's scope cannot change (it is {old.budget.scope.describe()}): what was spent was "
                "counted by it; make another budget",
                param="scope",
            )
        self._check_name(budget, await self._every())
        now = self._clock.utc_now()
        created = old.created_at or now
        await self._put(budget, created_at=created, now=now)
        return BudgetRecord(budget=budget, created_at=created, updated_at=now)

    async def remove(self, by: Principal, budget_id: str) -> BudgetRecord:
        """Its last state. What it counted is no longer shown. Raises NotFound, Forbidden, OwnedByFile,
        StoreUnavailable."""
        record = await self._writable(by, budget_id)
        if not await self._store.delete(record.budget.owner, budget_id):
            raise NotFound(f"no budget {budget_id[:200]!r} in this tenant", param="budget_id")
        await self._tell()
        return record

    async def _made(
        self, by: Principal, terms: BudgetTerms, budget_id: str, owner: str, new_key: str = ""
    ) -> Budget:
        budget = make_budget(terms, budget_id=budget_id, owner=owner, first_alert=self._keeping.first_alert())
        _check_reach(by, budget)
        if not new_key:
            check_managed(by, budget)
        if budget.switch is not None and not self._keeping.route_exists(budget.switch.route):
            raise InvalidRequest(
                f"on_threshold.route: there is no route {budget.switch.route[:127]!r}",
                param="on_threshold.route",
            )
        key = names_one(budget.scope, Dimension.KEY)
        if key is None or key == new_key:
            return budget
        found = await self._key(key, budget.scope.tenant)
        parts = tuple(
            (dimension, found if dimension is Dimension.KEY else value)
            for dimension, value in budget.scope.parts
        )
        return replace(budget, scope=budget.scope._replace(parts=parts))

    async def _key(self, wanted: str, tenant_id: str | None) -> str:
        """The id of a key that is named by it, or by a name that no other live key of the tenant has."""
        records = [r for r in await self._keys.all() if tenant_id in (None, r.tenant_id)]
        if any(record.key_id == wanted for record in records):
            return wanted
        now = self._clock.utc_now()
        named = [record.key_id for record in records if record.name == wanted and record.live(now)]
        if len(named) == 1:
            return named[0]
        told = f"{len(named)} keys are called {wanted[:100]!r}: name one by its id" if named else ""
        raise InvalidRequest(told or f"no key {wanted[:100]!r} in this tenant", param="scope.key")

    def _check_name(self, budget: Budget, every: Sequence[BudgetRecord]) -> None:
        for record in every:
            other = record.budget
            if other.budget_id == budget.budget_id or not same_name(budget, other):
                continue
            if other.declared:
                raise _owned_by_file(other, record.declared_in)
            raise Conflict(f"another budget is called {budget.name!r} ({other.budget_id})", param="name")

    async def _writable(self, by: Principal, budget_id: str) -> BudgetRecord:
        check_tenant(by, by.tenant_id, WRITE)
        for record in await self._every():
            budget = record.budget
            if budget.budget_id != budget_id or not may_see(by, budget):
                continue
            if budget.declared:
                raise _owned_by_file(budget, record.declared_in)
            if budget.owner != by.tenant_id and not by.may("tenants.manage"):
                raise Forbidden("this budget was set on your tenant by whoever runs the installation")
            check_managed(by, budget)
            return record
        raise NotFound(f"no budget {budget_id[:200]!r} in this tenant", param="budget_id")

    async def _put(self, budget: Budget, *, created_at: datetime, now: datetime) -> None:
        await self._store.put(
            StoredBudget(
                budget.budget_id,
                budget.owner,
                budget.name,
                budget_body(budget),
                to_us(created_at),
                to_us(now),
            )
        )
        await self._tell()

    async def _every(self) -> list[BudgetRecord]:
        records = [
            BudgetRecord(budget=budget, declared_in=self._keeping.declared_in(budget.name))
            for budget in self._keeping.declared()
        ]
        for stored in await self._store.all():
            with suppress(InvalidRequest):  # told by whoever follows the store
                records.append(
                    BudgetRecord(
                        budget=read_budget(stored),
                        created_at=from_us(stored.created_at_us),
                        updated_at=from_us(stored.updated_at_us),
                    )
                )
        return records

    async def _tell(self) -> None:
        # The change is in the store already; a slow start of using it is no reason to report a failure.
        with suppress(StoreUnavailable):
            await self._keeping.changed()


def concerns(budget: Budget, tenant_id: str) -> bool:
    """Whether a budget is a tenant's own, or set on it alone."""
    return tenant_id in (budget.owner, budget.scope.tenant)


def may_see(by: Principal, budget: Budget) -> bool:
    """Whether its figures are the caller's business."""
    return concerns(budget, by.tenant_id) or by.may("tenants.manage")


def check_managed(by: Principal, budget: Budget) -> None:
    """Raises Forbidden where the key is bound to other budgets. They are known by id or name; one that is
    about to be made, by its name alone."""
    managed = by.managed_budgets
    if managed is None or matches_any(managed, budget.name) or matches_any(managed, budget.budget_id):
        return
    raise Forbidden(f"this key does not manage the budget {budget.name!r}", param="name")


def _check_reach(by: Principal, budget: Budget) -> None:
    if by.may("tenants.manage"):
        return
    if budget.scope.tenant is None:
        dimension = "tenant: *" if (Dimension.TENANT, EACH) in budget.scope.parts else "no tenant"
        raise Forbidden(
            f"a scope with {dimension} counts other tenants' spending; name your own: "
            f'{{"tenant": "{by.tenant_id}", …}}',
            param="scope.tenant",
        )
    check_tenant(by, budget.scope.tenant, WRITE)


def _stored_by(record: BudgetRecord, owner: str) -> bool:
    return not record.budget.declared and record.budget.owner == owner


def _age(record: BudgetRecord) -> tuple[bool, int]:
    return (record.created_at is not None, 0 if record.created_at is None else to_us(record.created_at))


def _owned_by_file(budget: Budget, place: str | None) -> OwnedByFile:
    return OwnedByFile(
        f"the budget {budget.name!r} is declared in {place or 'the configuration'}; change it there, or take "
        "it out there first",
        param="name",
        details={"owner": "file", "declared_in": place},
    )
