"""Guardrails that need somebody else: a check outside, or a reader of JSON schemas.

Failure policy: the guardrail's own `on_error` says what a check that could not be made counts as; refused,
unless it says otherwise.
"""

from abc import abstractmethod
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol

from domain.guardrails.terms import Guardrail, TextSeen


class Said(StrEnum):
    """What somebody outside may say."""

    ALLOW = "allow"
    WARN = "warn"
    BLOCK = "block"
    REDACT = "redact"


class OutsideVerdict(NamedTuple):
    """`reason`: a short word, nothing else. `replacements`: one per text, None where it stays; only with
    REDACT."""

    action: Said
    reason: str = ""
    replacements: tuple[str | None, ...] = ()


class OutsideCheck(NamedTuple):
    """What is sent: texts as privacy policies let them go on, and whose they are. No credentials."""

    guardrail: Guardrail
    request_id: str
    tenant_id: str
    route: str
    answer: bool
    texts: Sequence[TextSeen]


class GuardrailFailed(Exception):
    """A check that could not be made; `reason` is a short word of ours, such as `timeout`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class OutsideGuardrails(Protocol):
    """Bounded in time, in size and in how many run at once. Cancelling ends the call."""

    @abstractmethod
    async def judge(self, check: OutsideCheck) -> OutsideVerdict:
        """Raises GuardrailFailed."""
        ...


class SchemaReader(Protocol):
    """JSON schemas. Synchronous, without I/O: what a schema refers to is inside of it."""

    @abstractmethod
    def problem(self, schema: str, text: str) -> str:
        """Why a text is no JSON of this schema, in words that repeat nothing of it; empty: it is.

        Raises GuardrailFailed for a schema that cannot be used.
        """
        ...

    @abstractmethod
    def unusable(self, schema: str) -> str:
        """Why a schema cannot be used; empty: it can."""
        ...
