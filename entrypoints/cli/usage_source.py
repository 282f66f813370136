"""Where commands about usage get it: the store of this machine, or a running server."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol, TypeVar
from urllib.parse import urlencode, urlsplit

import click
from starlette.datastructures import QueryParams

from application.use_cases.read_usage import UsageUseCases
from domain.errors import InterchangeError, InvalidRequest
from domain.tenancy.role import local_operator
from entrypoints.cli.api_client import ApiClient, NotAnswering, connect
from entrypoints.http.report_objects import savings_report_object
from entrypoints.http.usage import read_wish, totals_object
from entrypoints.http.usage_questions import read_filter

PIECE_BYTES: Final = 256 * 1024
TRANSFER_TIMEOUT_S: Final = 120.0
PATH: Final = "/api/v1/usage"
SAVINGS_PATH: Final = "/api/v1/analytics/savings"

Result = TypeVar("Result")
OpenUsage = Callable[[str | None], AbstractAsyncContextManager[UsageUseCases]]
"""Opens the stores that a configuration file (None: the usual one) names."""
Query = list[tuple[str, str]]


class UsageSource(Protocol):
    """Both understand the query of `/api/v1/usage`. Failures are click.ClickException."""

    def rows(self, query: Query) -> list[dict[str, Any]]: ...

    def write(self, query: Query, file: BinaryIO) -> None: ...

    def savings(self, query: Query) -> dict[str, Any] | None:
        """Against the declared baseline; None: none is declared here."""


class ServerSource:
    """Asks a running server with a key."""

    def __init__(self, api: ApiClient) -> None:
        self._api = api

    def rows(self, query: Query) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._api.call("GET", f"{PATH}?{urlencode(query)}")["rows"]
        return found

    def savings(self, query: Query) -> dict[str, Any] | None:
        found: dict[str, Any] = self._api.call("GET", f"{SAVINGS_PATH}?{urlencode(query)}")
        return found

    def write(self, query: Query, file: BinaryIO) -> None:
        parts = urlsplit(self._api.url)
        connection = self._api.connection(TRANSFER_TIMEOUT_S)
        try:
            headers = {"authorization": self._api.authorization}
            connection.request("GET", f"{parts.path}{PATH}?{urlencode(query)}", headers=headers)
            response = connection.getresponse()
            if response.status >= 400:
                raise click.ClickException(_told(response.status, response.read(PIECE_BYTES)))
            while piece := response.read(PIECE_BYTES):
                file.write(piece)
        except (OSError, HTTPException) as error:
            raise NotAnswering(f"{self._api.url} did not send the whole export: {error}") from error
        finally:
            connection.close()


class StoreSource:
    """Reads the store itself, as the operator of this machine; no server has to run."""

    def __init__(self, open_usage: OpenUsage, config_path: str | None) -> None:
        self._open_usage = open_usage
        self._config_path = config_path

    def rows(self, query: Query) -> list[dict[str, Any]]:
        async def work(usage: UsageUseCases) -> list[dict[str, Any]]:
            wish = read_wish(QueryParams(query))
            rows = await usage.report(local_operator(), wish.where, wish.group_by, wish.limit, wish.order)
            return [totals_object(row, wish.group_by) for row in rows]

        return run(self._open_usage, self._config_path, work)

    def savings(self, query: Query) -> dict[str, Any] | None:
        async def work(usage: UsageUseCases) -> dict[str, Any] | None:
            if usage.savings is None:
                return None
            found = await usage.savings(local_operator(), read_filter(QueryParams(query)))
            return savings_report_object(found)

        return run(self._open_usage, self._config_path, work)

    def write(self, query: Query, file: BinaryIO) -> None:
        async def work(usage: UsageUseCases) -> None:
            async with usage.export.open(local_operator(), read_wish(QueryParams(query))) as export:
                await _copy(export.chunks, file)

        run(self._open_usage, self._config_path, work)


async def _copy(chunks: AsyncIterator[bytes], file: BinaryIO) -> None:
    async for chunk in chunks:
        file.write(chunk)


def run(
    open_usage: OpenUsage,
    config_path: str | None,
    work: Callable[[UsageUseCases], Coroutine[Any, Any, Result]],
) -> Result:
    """What `work` returns, with the stores open meanwhile. Raises click.ClickException."""

    async def working() -> Result:
        async with open_usage(config_path) as usage:
            return await work(usage)

    try:
        return asyncio.run(working())
    except InvalidRequest as error:
        raise click.UsageError(error.message) from error
    except InterchangeError as error:
        raise click.ClickException(error.message) from error


def source(open_usage: OpenUsage, config_path: str | None, url: str | None, key: str | None) -> UsageSource:
    """A server where one is named, the store otherwise."""
    if url is None and key is None:
        return StoreSource(open_usage, config_path)
    return ServerSource(connect(config_path, url, key))


def server_options(command: Any) -> Any:
    """`--url` and `--key`, which choose a server instead of the store. The environment does not."""
    key = click.option("--key", help="API key. Default with --url: the admin.key file.")
    url = click.option("--url", help="Ask this server instead of the store of this machine.")
    return url(key(command))


@contextmanager
def opened(path: Path | None) -> Iterator[BinaryIO]:
    """The file to write, whole or not at all; stdout where none is named."""
    if path is None:
        stream = sys.stdout.buffer
        yield stream
        stream.flush()
        return
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as file:
            yield file
        part.replace(path)
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)


def limits(only: tuple[str, ...]) -> Query:
    """`--only team=search` as parameters. Raises click.UsageError."""
    pairs: Query = []
    for text in only:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise click.UsageError(f"--only {text!r} must be NAME=VALUE, such as team=search")
        pairs.append((name.strip().replace("-", "_"), value))
    return pairs


def _told(status: int, body: bytes) -> str:
    try:
        message = json.loads(body)["error"]["message"]
    except (ValueError, KeyError, TypeError):
        message = "no reason given"
    return f"the server answered {status}: {message}"
