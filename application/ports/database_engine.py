"""One kind of database behind its driver: pooled, bounded, cancelled on the server too.

Every call borrows a connection and gives it back as new: whatever a statement did to its session (settings,
roles, locks, temporary tables) is undone before anybody else gets it, or the connection is closed.
Failure policy: as `application.ports.connector`.
"""

from abc import abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from application.ports.connector import ConnectorFigures


class Statement(NamedTuple):
    """One statement in the engine's own dialect, with `:name` placeholders outside literals and comments.

    `values` has exactly those names. Text that came from a caller is never part of `text`, except where the
    SQL guard wrote it anew from its syntax tree.
    """

    text: str
    values: Mapping[str, Any]


class Limits(NamedTuple):
    """`rows` and `bytes` of a whole result; one more row is fetched to know that there is more."""

    rows: int
    bytes: int
    timeout_s: float


class Rows(NamedTuple):
    """`types` are the database's own names of types, where it tells."""

    columns: Sequence[str]
    types: Sequence[str]
    rows: Sequence[Sequence[Any]]
    truncated: bool


class Changed(NamedTuple):
    """What a writing statement did, committed. `returned`: rows of a RETURNING clause."""

    rows_affected: int
    returned: Rows | None = None


class RowCursor(Protocol):
    """A result in batches, from one read-only transaction."""

    columns: Sequence[str]
    types: Sequence[str]

    @abstractmethod
    def batches(self) -> AsyncIterator[Sequence[Sequence[Any]]]:
        """At most about 1 MiB each. Raises as `Engine.read`; ToolFailed too where a limit is passed: what
        ends without an error was whole."""
        ...

    @abstractmethod
    async def aclose(self) -> None:
        """Cancels on the server what still runs, and gives the connection back. Idempotent; never raises."""
        ...


class ColumnInfo(NamedTuple):
    name: str
    type: str
    nullable: bool
    key: bool = False
    comment: str = ""


class TableInfo(NamedTuple):
    schema: str
    name: str
    kind: str
    """`table` or `view`."""
    columns: Sequence[ColumnInfo]
    comment: str = ""
    rows_estimated: int | None = None


class Engine(Protocol):
    dialect: str
    """As sqlglot calls it: postgres, mysql, oracle, tsql, sqlite, duckdb."""

    @abstractmethod
    async def read(self, statement: Statement, limits: Limits) -> Rows:
        """In a transaction that cannot write, rolled back.

        Raises ToolFailed, InvalidParameters for a value that its place cannot take, ToolRefused for what is
        no query, IntegrationUnavailable, EgressRefused; TimeoutError when the server-side limit struck."""
        ...

    @abstractmethod
    async def write(self, statement: Statement, limits: Limits) -> Changed:
        """In a transaction of its own, committed when it went well. Raises as `read`."""
        ...

    @abstractmethod
    async def open_cursor(self, statement: Statement, limits: Limits) -> RowCursor:
        """As `read`, for more than memory should hold."""
        ...

    @abstractmethod
    async def explain(self, statement: Statement, limits: Limits) -> Mapping[str, Any]:
        """The plan, without running it. `{"format": "json"|"text", "plan": …}`."""
        ...

    @abstractmethod
    async def describe(self, schemas: Sequence[str], tables_max: int) -> Sequence[TableInfo]:
        """What its user can see; empty `schemas`: all but the system's own."""
        ...

    @abstractmethod
    async def check(self, *, must_be_harmless: bool) -> Mapping[str, Any]:
        """Version and user. `must_be_harmless`: raises InvalidConfiguration for a user that may do what no
        guard can see: a superuser, or one that reads the server's files."""
        ...

    @abstractmethod
    def figures(self) -> ConnectorFigures: ...

    @abstractmethod
    async def aclose(self) -> None: ...
