"""Audit entries as JSON for people and programs; times are ISO, UTC."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from domain.audit.entry import AuditEntry

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def entry_object(entry: AuditEntry, state: str | None) -> dict[str, Any]:
    """`state`: what came of an act that this entry says was begun."""
    draft = entry.draft
    return {
        "id": entry.entry_id,
        "tenant_id": draft.tenant_id,
        "seq": entry.seq,
        "at": iso(draft.at_us),
        "kind": draft.kind,
        "action": draft.action,
        "outcome": draft.outcome,
        "ended": state,
        "actor": {
            "kind": draft.actor_kind,
            "id": draft.actor_id or None,
            "name": draft.actor_name or None,
            "role": draft.role or None,
            "address": draft.address or None,
        },
        "subject": draft.subject or None,
        "request_id": draft.request_id or None,
        "refers_to": f"{draft.tenant_id}.{draft.refers_to}" if draft.refers_to else None,
        "details": details_object(draft.details),
        "details_text": draft.details,
        "at_us": draft.at_us,
        "written_at_us": entry.written_at_us,
        "hash": entry.hash.hex(),
    }


def details_object(text: str) -> dict[str, Any]:
    """What the entry says beside its fields. Text that is no JSON object is shown as it is."""
    try:
        found = json.loads(text) if text else {}
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"text": text}


def iso(us: int) -> str:
    """A time as RFC 3339; one that no calendar has as a number."""
    try:
        return (_EPOCH + timedelta(microseconds=us)).isoformat()
    except OverflowError:
        return str(us)
