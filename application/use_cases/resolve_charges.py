"""Charges whose bill nobody knows: seeing them, and settling them by hand."""

from typing import Final

from application.budget_book import BudgetBook
from application.ports.ledger import LedgerBooks, UnresolvedEntry
from application.ports.system import Clock
from domain.budgets.budget import LIMIT_NANO_USD_MAX
from domain.errors import Forbidden, InvalidRequest, NotFound
from domain.money import format_usd
from domain.tenancy.key_rules import check_tenant
from domain.tenancy.principal import Principal
from domain.tenancy.role import OPERATOR_TENANT

ENTRIES_MAX: Final = 100_000
"""How many unresolved charges are searched for one attempt."""


class ResolveCharges:
    """For keys that may read or write budgets, within their tenant or, for those who manage tenants, in any.

    An attempt may count on budgets of its tenant and on the operator's at once. Its bill is one, so who may
    not see all of them may not state it.
    """

    def __init__(self, books: LedgerBooks, clock: Clock, book: BudgetBook | None = None) -> None:
        """`book` tells whose the budgets are; without it, all are their tenants' own."""
        self._books = books
        self._clock = clock
        self._book = book

    async def unresolved(
        self, by: Principal, tenant_id: str | None = None, *, limit: int = 1000
    ) -> list[UnresolvedEntry]:
        """Of one tenant, or of every tenant `by` may see; oldest first.

        Raises Forbidden, StoreUnavailable.
        """
        check_tenant(by, by.tenant_id if tenant_id is None else tenant_id, "budgets.read")
        return await self._books.unresolved(_visible(by, tenant_id), limit=limit)

    async def resolve(self, by: Principal, attempt_id: str, cost_nano_usd: int | None) -> int:
        """The attempt's bill in nano-dollars: 0 when it was not billed, None: what was held. On how many
        accounts it changed something.

        Raises:
            Forbidden: `by` may not write budgets, or the attempt counts on somebody else's as well: also on
                one that was set on its tenant.
            InvalidRequest: no amount a bill could have (`cost_usd`).
            NotFound: `by` sees no unresolved charge of this attempt.
            StoreUnavailable: nothing is known about what happened; repeating it is safe.
        """
        check_tenant(by, by.tenant_id, "budgets.write")
        if cost_nano_usd is not None and not 0 <= cost_nano_usd <= LIMIT_NANO_USD_MAX:
            raise InvalidRequest(
                f"cost_usd must be between 0 and {format_usd(LIMIT_NANO_USD_MAX)}, "
                f"not {format_usd(cost_nano_usd)}",
                param="cost_usd",
            )
        mine = await self._accounts(attempt_id, _visible(by, None))
        if not mine:
            raise NotFound(
                f"no unresolved charge of attempt {attempt_id[:120]!r} in this tenant", param="attempt_id"
            )
        if mine != await self._accounts(attempt_id, None) or any(self._is_set_on(by, each) for each in mine):
            raise Forbidden(
                "this attempt also counts on a budget of the operator, who alone can state its bill",
                param="attempt_id",
            )
        now_us = int(self._clock.utc_now().timestamp() * 1e6)
        return await self._books.resolve(attempt_id, cost_nano_usd, now_us)

    async def _accounts(self, attempt_id: str, tenant_id: str | None) -> set[UnresolvedEntry]:
        entries = await self._books.unresolved(tenant_id, limit=ENTRIES_MAX)
        return {entry for entry in entries if entry.attempt_id == attempt_id}

    def _is_set_on(self, by: Principal, entry: UnresolvedEntry) -> bool:
        """Whether whoever runs the installation set the budget on the tenant of `by`, who cannot raise it
        then: neither by its limit nor by what was spent."""
        if self._book is None or by.tenant_id == OPERATOR_TENANT:
            return False
        found = next((each for each in self._book.budgets if each.budget_id == entry.budget_id), None)
        return found is not None and (found.declared or found.owner != by.tenant_id)


def _visible(by: Principal, tenant_id: str | None) -> str | None:
    """Whose charges; None: everybody's."""
    if tenant_id is None and by.may("tenants.manage"):
        return None
    return by.tenant_id if tenant_id is None else tenant_id
