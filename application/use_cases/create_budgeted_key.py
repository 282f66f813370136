"""A key that may spend so much: its budget is there before the key lets anybody in."""

import logging
from dataclasses import replace
from typing import NamedTuple

from application.use_cases.manage_budgets import BudgetRecord, ManageBudgets
from application.use_cases.manage_keys import CreatedKey, CreateKey
from domain.budgets.budget import NAME_LENGTH_MAX
from domain.budgets.terms import BudgetTerms
from domain.errors import InterchangeError
from domain.tenancy.key_rules import NewKey
from domain.tenancy.principal import Principal

log = logging.getLogger("interchange")


class BudgetedKey(NamedTuple):
    """A new key and the budget that counts it alone."""

    key: CreatedKey
    budget: BudgetRecord


class CreateBudgetedKey:
    """There is never a key without its budget. A budget without its key, which only a crash in between can
    leave, counts nothing."""

    def __init__(self, create_key: CreateKey, budgets: ManageBudgets) -> None:
        self._create_key = create_key
        self._budgets = budgets

    async def __call__(self, by: Principal, new: NewKey, terms: BudgetTerms) -> BudgetedKey:
        """`terms` need no name and no scope.

        Raises InvalidRequest (`budget.limit_usd`, or a field of the key), Forbidden, Conflict,
        StoreUnavailable; nothing was made then.
        """
        new = await self._create_key.vetted(by, new)
        created = self._create_key.prepared(by, new)
        wanted = replace(
            terms,
            name=terms.name or f"key {new.name[: NAME_LENGTH_MAX - 20]} {created.key_id}",
            scope={"tenant": new.tenant_id, "key": created.key_id},
        )
        try:
            record = await self._budgets.create(by, wanted, new_key=created.key_id)
        except InterchangeError as error:
            error.param = f"budget.{error.param}" if error.param else "budget"
            raise
        try:
            await self._create_key.keep(created)
        except InterchangeError:
            # A caller who left is another matter: the key may be in the store then, and has to stay bounded.
            await self._undo(by, record)
            raise
        return BudgetedKey(created, record)

    async def _undo(self, by: Principal, record: BudgetRecord) -> None:
        try:
            await self._budgets.remove(by, record.budget.budget_id)
        except InterchangeError as error:
            log.warning(
                "the budget %s is left of a key that could not be made (%s); it counts nothing",
                record.budget.budget_id,
                error.message,
            )
