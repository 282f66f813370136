"""Where `interchange budget` reads and writes: the stores of this machine, or a running server."""

from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final, Protocol, TypeVar
from urllib.parse import quote, urlencode

import click
import msgspec

from domain.budgets.scope import Spender
from domain.errors import InterchangeError, InvalidRequest
from domain.tenancy.role import OPERATOR_TENANT, local_operator
from entrypoints.budget_objects import (
    BudgetBody,
    account_object,
    bill,
    budget_object,
    concerned_object,
    terms_of,
    unresolved_object,
)
from entrypoints.budgeting import Budgeting
from entrypoints.cli.api_client import ApiClient
from entrypoints.command_loop import run
from entrypoints.settings import LoadedSettings

PATH: Final = "/api/v1/budgets"
Result = TypeVar("Result")
Shown = dict[str, Any]
OpenBudgeting = Callable[[LoadedSettings], AbstractContextManager[Budgeting]]


class BudgetSource(Protocol):
    """The API's objects, whoever gives them. Everything raises click.ClickException."""

    def all(self, tenant_id: str | None) -> list[Shown]: ...

    def accounts(self, budget_id: str, subject: str | None, limit: int) -> list[Shown]: ...

    def create(self, body: Shown) -> Shown: ...

    def replace(self, budget_id: str, body: Shown) -> Shown: ...

    def remove(self, budget_id: str) -> None: ...

    def check(self, spender: Mapping[str, str]) -> list[Shown]: ...

    def unresolved(self, tenant_id: str | None) -> list[Shown]: ...

    def resolve(self, attempt_id: str, cost_usd: str | None) -> int: ...


class ServerBudgets(BudgetSource):
    """Asks a running server, with what its key may do."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client

    def all(self, tenant_id: str | None) -> list[Shown]:
        return list(self._client.call("GET", PATH + _query(tenant_id=tenant_id))["budgets"])

    def accounts(self, budget_id: str, subject: str | None, limit: int) -> list[Shown]:
        query = _query(subject=subject, limit=str(limit))
        return list(self._client.call("GET", f"{_path(budget_id)}/accounts{query}")["accounts"])

    def create(self, body: Shown) -> Shown:
        return dict(self._client.call("POST", PATH, body))

    def replace(self, budget_id: str, body: Shown) -> Shown:
        return dict(self._client.call("PUT", _path(budget_id), body))

    def remove(self, budget_id: str) -> None:
        self._client.call("DELETE", _path(budget_id))

    def check(self, spender: Mapping[str, str]) -> list[Shown]:
        return list(self._client.call("POST", f"{PATH}/check", dict(spender))["budgets"])

    def unresolved(self, tenant_id: str | None) -> list[Shown]:
        answer = self._client.call("GET", f"{PATH}/unresolved" + _query(tenant_id=tenant_id))
        return list(answer["unresolved"])

    def resolve(self, attempt_id: str, cost_usd: str | None) -> int:
        body = {"attempt_id": attempt_id, "cost_usd": cost_usd}
        return int(self._client.call("POST", f"{PATH}/unresolved/resolve", body)["accounts"])


class StoredBudgets(BudgetSource):
    """Works on the stores, as the owner of the machine; running servers follow within a second."""

    def __init__(self, budgeting: Budgeting) -> None:
        self._use = budgeting
        self._by = local_operator()

    def all(self, tenant_id: str | None) -> list[Shown]:
        return [budget_object(record) for record in _run(self._use.manage.all(self._by, tenant_id))]

    def accounts(self, budget_id: str, subject: str | None, limit: int) -> list[Shown]:
        asked = self._use.report.accounts(self._by, budget_id, subject=subject, limit=limit)
        return [account_object(standing) for standing in _run(asked)[1]]

    def create(self, body: Shown) -> Shown:
        return budget_object(_run(self._use.manage.create(self._by, terms_of(_body(body)))))

    def replace(self, budget_id: str, body: Shown) -> Shown:
        return budget_object(_run(self._use.manage.replace(self._by, budget_id, terms_of(_body(body)))))

    def remove(self, budget_id: str) -> None:
        _run(self._use.manage.remove(self._by, budget_id))

    def check(self, spender: Mapping[str, str]) -> list[Shown]:
        who = Spender(**{"tenant": OPERATOR_TENANT, **spender})
        return [concerned_object(one) for one in _run(self._use.report.check(self._by, who))]

    def unresolved(self, tenant_id: str | None) -> list[Shown]:
        return [unresolved_object(one) for one in _run(self._use.charges.unresolved(self._by, tenant_id))]

    def resolve(self, attempt_id: str, cost_usd: str | None) -> int:
        try:
            cost = bill(cost_usd)
        except InvalidRequest as error:
            raise click.UsageError(error.message) from error
        return _run(self._use.charges.resolve(self._by, attempt_id, cost))


@contextmanager
def stored_budgets(open_budgeting: OpenBudgeting, loaded: LoadedSettings) -> Iterator[BudgetSource]:
    """The stores, open as long as the block lasts."""
    try:
        with open_budgeting(loaded) as budgeting:
            yield StoredBudgets(budgeting)
    except InterchangeError as error:
        raise click.ClickException(error.message) from error


def _run(work: Coroutine[Any, Any, Result]) -> Result:
    try:
        return run(work)
    except InvalidRequest as error:
        raise click.UsageError(error.message) from error
    except InterchangeError as error:
        raise click.ClickException(error.message) from error


def _body(body: Shown) -> BudgetBody:
    try:
        return msgspec.convert(body, BudgetBody)
    except msgspec.ValidationError as error:
        raise click.UsageError(str(error)) from error


def _path(budget_id: str) -> str:
    return f"{PATH}/{quote(budget_id, safe='')}"


def _query(**parts: str | None) -> str:
    given = {name: value for name, value in parts.items() if value is not None}
    return f"?{urlencode(given)}" if given else ""
