"""Integrations whose other side is this process: for tests and simulations, under `memory://<name>`.

Each name is a side with entries; it can be taken away, and can ask for a token.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from application.ports.connector import (
    ByteStream,
    Connector,
    ConnectorFigures,
    ConnectorKind,
    Surroundings,
    ToolOutcome,
)
from domain.connectors.integration import Integration, IntegrationKind
from domain.connectors.tool import Tool, ToolCall
from domain.errors import IntegrationUnavailable, InvalidConfiguration, ToolFailed, ToolRefused
from domain.vault.secret import SecretBytes

SCHEME: Final = "memory"
TOKEN: Final = "token"  # noqa: S105 - the name of a field
_KEY: Final = {"type": "string", "maxLength": 200}
TOOLS: Final = (
    Tool(
        name="get",
        description="The entry under a key.",
        parameters={
            "type": "object",
            "properties": {"key": _KEY},
            "required": ["key"],
            "additionalProperties": False,
        },
        examples=({"key": "colour"},),
        read_only=True,
    ),
    Tool(
        name="put",
        description="Sets the entry under a key.",
        parameters={
            "type": "object",
            "properties": {"key": _KEY, "value": {}},
            "required": ["key", "value"],
            "additionalProperties": False,
        },
        idempotent=True,
    ),
)


@dataclass(slots=True)
class MemorySide:
    """What stands at the other end. `token` None: everybody may."""

    token: str | None = None
    reachable: bool = True
    entries: dict[str, Any] = field(default_factory=dict)
    opened: int = 0
    checks: int = 0


class MemoryKind(ConnectorKind):
    """`sides` by name; a name that is not there cannot be reached."""

    kind = IntegrationKind.STORAGE
    schemes = frozenset({SCHEME})

    def __init__(self, sides: Mapping[str, MemorySide]) -> None:
        self.sides = sides

    def validate(self, configuration: Mapping[str, Any]) -> None:
        for key in configuration:
            if key not in ("endpoint", "authentication", "greeting"):
                raise InvalidConfiguration(f"{key} is unknown", param=key)
        authentication = configuration["authentication"]
        if authentication.get("type") not in ("none", TOKEN):
            raise InvalidConfiguration(
                f"authentication.type must be none or {TOKEN}", param="authentication.type"
            )
        for key in authentication:
            if key != "type":
                raise InvalidConfiguration(f"authentication.{key} is unknown", param=f"authentication.{key}")

    def secret_fields(self, configuration: Mapping[str, Any]) -> frozenset[str]:
        return frozenset({TOKEN} if configuration["authentication"].get("type") == TOKEN else ())

    def open(self, integration: Integration, surroundings: Surroundings) -> Connector:
        if self.secret_fields(integration.configuration) - set(surroundings.secrets):
            raise InvalidConfiguration(f"authentication.{TOKEN} is required", param=f"authentication.{TOKEN}")
        name = urlsplit(integration.endpoint).netloc
        return MemoryConnector(name, self.sides, surroundings.secrets.get(TOKEN))


class MemoryConnector(Connector):
    """One that is open."""

    def __init__(self, name: str, sides: Mapping[str, MemorySide], token: SecretBytes | None) -> None:
        self._name = name
        self._sides = sides
        self._token = token
        if (side := sides.get(name)) is not None:
            side.opened += 1

    @property
    def tools(self) -> Sequence[Tool]:
        return TOOLS

    async def execute(self, call: ToolCall) -> ToolOutcome:
        side, key = self._side(), call.parameters["key"]
        if call.tool.name == "put":
            side.entries[key] = call.parameters["value"]
            return ToolOutcome({"key": key, "stored": True})
        if key not in side.entries:
            raise ToolFailed(f"no entry {key[:80]!r}")
        return ToolOutcome({"key": key, "value": side.entries[key]})

    async def stream(self, call: ToolCall, content_type: str) -> ByteStream:
        raise ToolRefused(f"{call.tool.name} has no {content_type[:80]}")

    async def upload(self, call: ToolCall, body: AsyncIterator[bytes], size_bytes: int | None) -> ToolOutcome:
        del body, size_bytes
        raise ToolRefused(f"{call.tool.name} takes no body")

    async def check(self) -> Mapping[str, Any]:
        side = self._side()
        side.checks += 1
        return {"entries": len(side.entries)}

    async def discover(self) -> bool:
        return False

    def figures(self) -> ConnectorFigures:
        return ConnectorFigures(open=1, limit=1)

    async def aclose(self) -> None:
        """Nothing: nothing is open."""

    def _side(self) -> MemorySide:
        side = self._sides.get(self._name)
        if side is None or not side.reachable:
            raise IntegrationUnavailable(f"memory://{self._name} cannot be reached")
        if side.token is not None and (self._token is None or self._token.reveal() != side.token.encode()):
            raise IntegrationUnavailable(f"memory://{self._name} refuses our token")
        return side
