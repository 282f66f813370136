"""Keys as the JSON that routes and commands show: everything but what could let anybody in."""

from datetime import datetime
from typing import Any

from domain.tenancy.key import OWN_SCHEME, KeyRecord


def key_object(record: KeyRecord, now: datetime) -> dict[str, Any]:
    """A key as JSON, without its hashes; times are ISO, UTC."""
    overlap = record.overlap(now)
    return {
        "key_id": record.key_id,
        "tenant_id": record.tenant_id,
        "name": record.name,
        "role": record.role,
        "env": record.env,
        "state": record.state(now),
        "scopes": _listed(record.permissions),
        "allowed_models": _listed(record.allowed_models),
        "networks": list(record.networks),
        "assertable": _listed(record.assertable),
        "integrations": _listed(record.integrations),
        "managed_budgets": _listed(record.managed_budgets),
        "created_at": record.created_at.isoformat(),
        "created_by": record.created_by,
        "expires_at": _at(record.expires_at),
        "rotated_at": _at(record.rotated_at),
        "old_secret_until": None if overlap is None else overlap.until.isoformat(),
        "last_used_at": _at(record.last_used_at),
        "revoked_at": _at(record.revoked_at),
        "revoked_by": record.revoked_by,
        "revoked_reason": record.revoked_reason,
        "imported": record.scheme != OWN_SCHEME,
        "note": record.note,
        "team": record.team,
        "project": record.project,
        "cost_center": record.cost_center,
    }


def _listed(names: frozenset[str] | None) -> list[str] | None:
    return None if names is None else sorted(names)


def _at(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
