"""A tool: one thing that can be asked of an integration."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from domain.llm.cache_wish import NO_WISH, CacheWish
from domain.money import NanoUsd

TOOL_SHAPE: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9_-]{0,63}")
TOOLS_PER_INTEGRATION_MAX: Final = 500
TIMEOUT_S: Final = 30
TIMEOUT_S_MAX: Final = 3600
PARAMETERS_BYTES_MAX: Final = 4 * 1024 * 1024
RESULT_BYTES_MAX: Final = 16 * 1024 * 1024
"""Of a result that is one JSON object; what is larger is streamed or refused."""


def _any_object() -> Mapping[str, Any]:
    return {"type": "object"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """What discovery shows. `parameters` and `result` are JSON Schemas, of objects."""

    name: str
    description: str
    parameters: Mapping[str, Any]
    result: Mapping[str, Any] = field(default_factory=_any_object)
    examples: Sequence[Mapping[str, Any]] = ()
    """Parameters that would be accepted."""
    read_only: bool = False
    """It changes nothing outside: it may be answered from a cache, and tried again."""
    idempotent: bool = False
    """Doing it twice is as good as once: it may be tried again when nobody knows whether it was done."""
    destructive: bool = False
    """It may remove or overwrite what was there."""
    cost_nano_usd: NanoUsd | None = None
    """Of one call; None: what the integration says, else nothing."""
    cache_ttl_s: float | None = None
    """How long its result may be given again; None: never. Only for what is read-only."""
    timeout_s: float | None = None
    """The longest a caller may wait for it; None: TIMEOUT_S_MAX."""
    streams: frozenset[str] = frozenset()
    """Media types its result can be streamed in, such as `text/csv`; empty: it is one JSON object."""
    takes_body: bool = False
    """Whether it wants bytes beside its parameters: an upload."""

    @property
    def repeatable(self) -> bool:
        return self.read_only or self.idempotent


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """One execution. `parameters` were checked against the tool's schema.

    `timeout_s` is what is left when the connector gets it; who runs it cancels it then, which is a normal
    path: whatever runs outside for it has to be stopped there too.
    """

    tenant_id: str
    integration_id: str
    tool: Tool
    parameters: Mapping[str, Any]
    timeout_s: float
    request_id: str
    idempotency_key: str = ""
    cache_wish: CacheWish = NO_WISH
    trace: tuple[tuple[str, str], ...] = ()
    """Headers that tell the other side which trace this belongs to, where it speaks HTTP."""
