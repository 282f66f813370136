"""Where `interchange limits` reads and writes: the stores of this machine, or a running server."""

from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final, Protocol, TypeVar
from urllib.parse import quote, urlencode

import click
import msgspec

from application.use_cases.manage_limits import ManageLimits
from domain.errors import InterchangeError, InvalidRequest
from domain.limits.limit import LimitTerms
from domain.tenancy.role import local_operator
from entrypoints.cli.api_client import ApiClient
from entrypoints.command_loop import run
from entrypoints.limit_objects import LimitBody, limit_object, terms_of
from entrypoints.settings import LoadedSettings

PATH: Final = "/api/v1/limits"
Result = TypeVar("Result")
Shown = dict[str, Any]
OpenLimits = Callable[[LoadedSettings], AbstractContextManager[ManageLimits]]


class LimitSource(Protocol):
    """The API's objects, whoever gives them. Everything raises click.ClickException."""

    def all(self, tenant_id: str | None) -> list[Shown]: ...

    def one(self, limit_id: str) -> Shown: ...

    def create(self, body: Shown) -> Shown: ...

    def replace(self, limit_id: str, body: Shown) -> Shown: ...

    def remove(self, limit_id: str) -> None: ...


class ServerLimits(LimitSource):
    """Asks a running server, with what its key may do."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client

    def all(self, tenant_id: str | None) -> list[Shown]:
        query = "" if tenant_id is None else f"?{urlencode({'tenant_id': tenant_id})}"
        return list(self._client.call("GET", PATH + query)["limits"])

    def one(self, limit_id: str) -> Shown:
        return dict(self._client.call("GET", _path(limit_id)))

    def create(self, body: Shown) -> Shown:
        return dict(self._client.call("POST", PATH, body))

    def replace(self, limit_id: str, body: Shown) -> Shown:
        return dict(self._client.call("PUT", _path(limit_id), body))

    def remove(self, limit_id: str) -> None:
        self._client.call("DELETE", _path(limit_id))


class StoredLimits(LimitSource):
    """Works on the stores, as the owner of the machine; running servers follow within a second."""

    def __init__(self, manage: ManageLimits) -> None:
        self._manage = manage
        self._by = local_operator()

    def all(self, tenant_id: str | None) -> list[Shown]:
        return [limit_object(record) for record in _run(self._manage.all(self._by, tenant_id))]

    def one(self, limit_id: str) -> Shown:
        return {**limit_object(_run(self._manage.one(self._by, limit_id))), "accounts": []}

    def create(self, body: Shown) -> Shown:
        return limit_object(_run(self._manage.create(self._by, _terms(body))))

    def replace(self, limit_id: str, body: Shown) -> Shown:
        return limit_object(_run(self._manage.replace(self._by, limit_id, _terms(body))))

    def remove(self, limit_id: str) -> None:
        _run(self._manage.remove(self._by, limit_id))


@contextmanager
def limits_of_stores(open_limits: OpenLimits, loaded: LoadedSettings) -> Iterator[LimitSource]:
    """The stores, open as long as the block lasts."""
    try:
        with open_limits(loaded) as manage:
            yield StoredLimits(manage)
    except InterchangeError as error:
        raise click.ClickException(error.message) from error


def _run(work: Coroutine[Any, Any, Result]) -> Result:
    try:
        return run(work)
    except InvalidRequest as error:
        raise click.UsageError(error.message) from error
    except InterchangeError as error:
        raise click.ClickException(error.message) from error


def _terms(body: Shown) -> LimitTerms:
    try:
        return terms_of(msgspec.convert(body, LimitBody))
    except msgspec.ValidationError as error:
        raise click.UsageError(str(error)) from error


def _path(limit_id: str) -> str:
    return f"{PATH}/{quote(limit_id, safe='')}"
