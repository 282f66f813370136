"""On whose behalf a message of the protocol is answered."""

from contextvars import ContextVar
from typing import Final, NamedTuple

from domain.tenancy.principal import Principal
from entrypoints.http.callers import Call


class McpCaller(NamedTuple):
    """Who came in, and with which headers."""

    by: Principal
    call: Call


CALLER: Final[ContextVar[McpCaller]] = ContextVar("mcp_caller")
