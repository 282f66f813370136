"""On whose behalf a message of the protocol is answered."""

from contextvars import ContextVar
from typing import Final, NamedTuple

from domain.tenancy.principal import Principal
from entrypoints.http.callers import Call
from entrypoints.mcp.running import Whose, number_of


class McpCaller(NamedTuple):
    """Who came in, from which network address, and with which headers."""

    by: Principal
    call: Call
    address: str = ""

    def whose(self, number: object) -> Whose | None:
        """A call of theirs; None: nobody could name it."""
        said = number_of(number)
        if said is None:
            return None
        program = self.call.headers.get(b"user-agent", b"").decode("latin-1")
        return Whose(self.by.key_id, self.address, program, said)


CALLER: Final[ContextVar[McpCaller]] = ContextVar("mcp_caller")
