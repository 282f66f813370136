"""What stands behind an integration: opened from its configuration, asked to run tools, closed.

Failure policy: a connector raises one of the errors named here and nothing else; their messages hold no
secret, and of what the other side said only what a caller of that tool may see. Cancelling any await is a
normal path: what runs outside is told to stop (a query is cancelled, an upload aborted), and nothing that
was borrowed is given back dirty.
"""

from abc import abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from application.ports.http import HttpTransport
from domain.connectors.integration import Integration, IntegrationKind
from domain.connectors.tool import Tool, ToolCall
from domain.vault.secret import SecretBytes


class ToolOutcome(NamedTuple):
    """A whole result. `value` is what JSON can say: dates as ISO 8601, decimals as text, bytes as base64."""

    value: Mapping[str, Any]
    rows: int | None = None
    truncated: bool = False
    """Whether a limit cut it; the value says so too."""
    upstream_status: int | None = None
    retries: int = 0


class ByteStream(Protocol):
    """A result in pieces. Read it to the end or close it."""

    content_type: str
    headers: Sequence[tuple[str, str]]
    """To be shown to the caller: a length, a checksum, a version."""

    @abstractmethod
    async def next_chunk(self) -> bytes:
        """At least one byte; `b""` at the natural end. Raises as `Connector.execute`: what came before is
        then not the whole."""
        ...

    @abstractmethod
    async def aclose(self) -> None:
        """Stops what runs outside. Idempotent; never raises."""
        ...


class ConnectorFigures(NamedTuple):
    """Of a pool, for metrics: what is open, in use, waited for."""

    open: int = 0
    busy: int = 0
    waiting: int = 0
    limit: int = 0


class Connector(Protocol):
    """One open integration. Belongs to one event loop; many calls run in it at once."""

    @property
    @abstractmethod
    def tools(self) -> Sequence[Tool]:
        """What it can do now; from memory."""
        ...

    @abstractmethod
    async def execute(self, call: ToolCall) -> ToolOutcome:
        """Runs a tool once; retries only where its configuration and the tool allow.

        Raises:
            InvalidParameters: well-formed, but the tool cannot take it (such as an unknown sort column).
            ToolRefused: a policy of the integration forbids it: SQL outside the allow-list, a key outside
                the prefix, a type of content.
            ToolFailed: the other side said no, or its answer is not what its schema promises.
            IntegrationUnavailable: it cannot be reached, refuses our credential, or is too busy.
            EgressRefused: our own rules allow no connection there.
        """
        ...

    @abstractmethod
    async def stream(self, call: ToolCall, content_type: str) -> ByteStream:
        """The result in one of the tool's `streams`. Raises as `execute`, before its first byte."""
        ...

    @abstractmethod
    async def upload(self, call: ToolCall, body: AsyncIterator[bytes], size_bytes: int | None) -> ToolOutcome:
        """Runs a tool that `takes_body`. All or nothing: what was cut leaves nothing behind. Raises as
        `execute`."""
        ...

    @abstractmethod
    async def check(self) -> Mapping[str, Any]:
        """Reaches the other side with our credential, changing nothing; what is worth knowing of it, such
        as its version. Raises IntegrationUnavailable, EgressRefused, InvalidConfiguration for what only the
        other side can tell (a role that may do too much)."""
        ...

    @abstractmethod
    async def discover(self) -> bool:
        """Looks again at what there is (tables, tools of an upstream server); whether `tools` changed.
        Raises as `check`."""
        ...

    @abstractmethod
    def figures(self) -> ConnectorFigures: ...

    @abstractmethod
    async def aclose(self) -> None:
        """Ends everything it opened, within seconds. Idempotent; never raises."""
        ...


class Surroundings(NamedTuple):
    """What a connector gets to work with.

    `transport` is the tenant's way out: judged by the egress rules. `guard` judges an address before a
    driver with sockets of its own connects (`await guard(host, port)` returns the addresses it may connect
    to, pinned; raises EgressRefused).
    """

    transport: HttpTransport
    guard: "AddressGuard"
    secrets: Mapping[str, SecretBytes]
    """Fields of `configuration.authentication`, opened."""
    region_of_server: str | None = None
    keep: "KeepSecret | None" = None
    """For secrets that the other side replaces, such as refresh tokens; None: they last as long as the
    connector."""


class KeepSecret(Protocol):
    @abstractmethod
    async def __call__(self, field: str, secret: SecretBytes) -> None:
        """Puts the new value of a secret field into the vault. Raises StoreUnavailable, VaultLocked."""
        ...


class AddressGuard(Protocol):
    @abstractmethod
    async def __call__(self, host: str, port: int) -> Sequence[str]: ...


class ConnectorKind(Protocol):
    """Makes connectors of one kind of endpoint."""

    kind: IntegrationKind
    schemes: frozenset[str]
    """Of endpoints it serves, such as `postgresql`."""

    @abstractmethod
    def validate(self, configuration: Mapping[str, Any]) -> None:
        """Everything that can be told without the other side. Unknown keys are errors.

        Raises InvalidConfiguration with the path of the field; also where a driver is not installed, with
        the extra to install.
        """
        ...

    @abstractmethod
    def secret_fields(self, configuration: Mapping[str, Any]) -> frozenset[str]:
        """Fields of `authentication` that are secret: they go to the vault and come back in
        `Surroundings.secrets`."""
        ...

    def modules(self, configuration: Mapping[str, Any]) -> Sequence[str]:  # noqa: ARG002 - most need none
        """Names of modules that take long to load; they are loaded beside the event loop, before `open`."""
        return ()

    @abstractmethod
    def open(self, integration: Integration, surroundings: Surroundings) -> Connector:
        """Connects to nothing yet. Raises InvalidConfiguration."""
        ...
