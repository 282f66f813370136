"""An audit entry for every request, in the transaction that writes its usage row."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Dialect

from adapters.sql.audit_rows import Bodies, ChainWriter
from application.ports.system import Clock
from domain.analytics.event import RequestEvent
from domain.audit.entry import ACCESS, ACCESS_ACTIONS, DETAILS_LENGTH_MAX, AuditDraft, bounded, canonical
from domain.tenancy.identity import ID_BEGINS

ATTEMPTS_MAX: Final = 20
"""Attempts that are named one by one; the digest covers all of them."""
COLUMNS_AT_FIRST: Final = RequestEvent._fields.index("entry_us")
"""Columns of a usage row that the digest of an entry covers which does not say how many."""
_COLUMNS: Final = RequestEvent._fields.index("attempts")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_encode: Final = msgspec.json.Encoder().encode
_OF_PEOPLE: Final = tuple(
    RequestEvent._fields.index(name) for name in ("user_id", "session_id", "client_request_id", "metadata")
)


class AuditLeaves:
    """A follower of `SqlUsageWriter`. It comes before the ledger's, whose locks requests wait for."""

    def __init__(self, dialect: Dialect, clock: Clock) -> None:
        self._writer = ChainWriter(dialect)
        self._clock = clock

    def __call__(self, connection: Connection, events: Sequence[RequestEvent]) -> None:
        chains: dict[str, list[tuple[AuditDraft, bytes]]] = {}
        for event in events:
            draft = access_of(event)
            chains.setdefault(draft.tenant_id, []).append((draft, canonical(draft)))
        drafts: dict[str, Bodies] = dict(chains)
        now_us = (self._clock.utc_now() - _EPOCH) // timedelta(microseconds=1)
        self._writer.append(connection, drafts, now_us)


def access_of(event: RequestEvent) -> AuditDraft:
    """Who reached what, and what came of it. Users and conversations are named by the usage row alone, whose
    digest stands here: so they can be forgotten."""
    asked = event.model_asked
    return AuditDraft(
        event.tenant_id,
        event.started_at_us,
        ACCESS,
        f"{ACCESS_ACTIONS}{event.operation}",
        event.outcome,
        "token" if event.key_id.startswith(ID_BEGINS) else "key",
        event.key_id,
        "",
        "",
        "",
        f"{event.provider}/{event.model}" if event.provider else bounded(asked),
        event.request_id,
        0,
        _details(event),
    )


def _details(event: RequestEvent) -> str:
    said: dict[str, Any] = {
        "agent": event.agent_id[:200],
        "attempts": [
            (one.provider, one.model, one.via, one.outcome) for one in event.attempts[:ATTEMPTS_MAX]
        ],
        "cache": event.cache,
        "cost_nano_usd": event.cost_nano_usd,
        "error": event.error_code,
        "route": event.route,
        "status": event.status,
        "usage_columns": _COLUMNS,
        "usage_sha256": usage_digest(event),
    }
    text = _encode(said).decode()
    if len(text) > DETAILS_LENGTH_MAX:
        said["attempts"] = len(event.attempts)
        text = _encode(said).decode()
    return text


def usage_digest(event: RequestEvent, columns: int = _COLUMNS) -> str:
    """SHA-256, hexadecimal, of the usage row as a JSON array in the order of its columns, without spaces, the
    rows of its attempts as arrays in its last place. What callers say about people is taken for empty: it
    may have to be forgotten, and then the rest can still be checked.

    `columns` is how many columns the row had when it was entered (`usage_columns` of the entry, or
    `COLUMNS_AT_FIRST` where it does not say): later ones came behind them, and are no part of its digest.
    """
    said: tuple[Any, ...] = event if columns == _COLUMNS else (*event[:columns], event.attempts)
    if event.user_id or event.session_id or event.client_request_id or event.metadata:
        nameless = list(said)
        for place in _OF_PEOPLE:
            nameless[place] = ""
        said = tuple(nameless)
    return hashlib.sha256(_encode(said)).hexdigest()
