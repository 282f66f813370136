"""What is told of keys, stops, breakers, integrations, endpoints and checkpoints: one function for each."""

from collections.abc import Mapping
from datetime import datetime
from hashlib import blake2b
from typing import Any, Final

from application.events.writing import epoch_us, event_of, moment_text
from application.ports.outbox import OutboxEvent
from domain.connectors.health import HealthCheck
from domain.connectors.integration import INSTALLATION, Integration
from domain.connectors.tool_pins import PinVerdict
from domain.events import (
    AGENT_RELEASED,
    AGENT_STOPPED,
    AUDIT_CHECKPOINT,
    INTEGRATION_BREAKER_CLOSED,
    INTEGRATION_BREAKER_OPENED,
    INTEGRATION_STATE_CHANGED,
    INTEGRATION_TOOLS_CHANGED,
    KEY_CREATED,
    KEY_EXPIRING,
    KEY_REVOKED,
    KEY_ROTATED,
    PROVIDER_BREAKER_CLOSED,
    PROVIDER_BREAKER_OPENED,
)
from domain.guards.stop import Stop
from domain.tenancy.key import KeyRecord
from domain.tenancy.role import OPERATOR_TENANT

_DAY_US: Final = 86_400_000_000
_SHOWN_OF_STOPPED: Final = ("agent_id", "key_id", "workflow_id", "route")
"""Users and their sessions are not told: they may have to be forgotten, wherever the event went."""


def key_created(record: KeyRecord) -> OutboxEvent:
    """A key lets its holder in from now on."""
    data = {**_key(record), "made_by": record.created_by or None}
    return event_of(
        KEY_CREATED,
        record.tenant_id,
        f"{KEY_CREATED}:{record.key_id}",
        data,
        epoch_us(record.created_at),
    )


def key_rotated(record: KeyRecord) -> OutboxEvent | None:
    """A key got another secret; None: it never did."""
    if record.rotated_at is None:
        return None
    old, at_us = record.old_secret, epoch_us(record.rotated_at)
    data = {**_key(record), "old_secret_until": _text(None if old is None else old.until)}
    return event_of(KEY_ROTATED, record.tenant_id, f"{KEY_ROTATED}:{record.key_id}:{at_us}", data, at_us)


def key_revoked(tenant_id: str, key_id: str, at: datetime, by: str, reason: str) -> OutboxEvent:
    """A key lets nobody in any more."""
    data = {"key_id": key_id, "revoked_by": by or None, "reason": reason or None}
    return event_of(KEY_REVOKED, tenant_id, f"{KEY_REVOKED}:{key_id}", data, epoch_us(at))


def key_expiring(record: KeyRecord, within_s: int, now: datetime) -> OutboxEvent:
    """A key ends within so many seconds; told once for each such length and moment of its end."""
    ends = "" if record.expires_at is None else str(epoch_us(record.expires_at))
    key = f"{KEY_EXPIRING}:{record.key_id}:{ends}:{within_s}"
    return event_of(
        KEY_EXPIRING, record.tenant_id, key, {**_key(record), "within_s": within_s}, epoch_us(now)
    )


def _key(record: KeyRecord) -> dict[str, Any]:
    return {
        "key_id": record.key_id,
        "name": record.name,
        "role": record.role,
        "expires_at": _text(record.expires_at),
    }


def agent_stopped(stop: Stop) -> OutboxEvent:
    """Requests of somebody are refused from now on."""
    data = {
        "stop_id": stop.stop_id,
        **{name: getattr(stop.subject, name) or None for name in _SHOWN_OF_STOPPED},
        "cause": stop.cause.value,
        "made_by": stop.by,
        "expires_at": _text(stop.expires_at),
        "ends_running": stop.ends_running,
    }
    key = f"{AGENT_STOPPED}:{stop.stop_id}"
    return event_of(AGENT_STOPPED, stop.tenant_id, key, data, epoch_us(stop.created_at))


def agent_released(tenant_id: str, stop_id: str, at: datetime, by: str) -> OutboxEvent:
    """A stop was lifted. Stops that end by themselves said so from the start."""
    data = {"stop_id": stop_id, "lifted_by": by or None}
    return event_of(AGENT_RELEASED, tenant_id, f"{AGENT_RELEASED}:{stop_id}", data, epoch_us(at))


def breaker_changed(
    tenant_id: str | None, name: str, target: str, *, instance: str, opened: bool, key: str, at_us: int
) -> OutboxEvent:
    """A breaker refuses calls from now on, or lets them through again.

    `tenant_id` None: a provider's, which serves all tenants, so its events are the operator's. Else `name`
    is an integration of that tenant. `target` is what of it is concerned, `instance` the process whose
    breaker it is.
    """
    if tenant_id is None:
        topic = PROVIDER_BREAKER_OPENED if opened else PROVIDER_BREAKER_CLOSED
        data: dict[str, Any] = {"provider": name, "target": target}
    else:
        topic = INTEGRATION_BREAKER_OPENED if opened else INTEGRATION_BREAKER_CLOSED
        data = {"integration_id": name}
    owner = OPERATOR_TENANT if tenant_id is None else tenant_id
    data = {**data, "state": "open" if opened else "closed", "instance": instance}
    return event_of(topic, owner, f"{topic}:{key}", data, at_us)


def integration_switched(before: str, after: Integration) -> OutboxEvent:
    """An integration was enabled, disabled or put under maintenance."""
    return _integration_changed(
        after.tenant_id,
        after.integration_id,
        {
            "aspect": "switch",
            "previous_state": before,
            "state": after.state.value,
            "reason": None,
            "changed_by": after.updated_by or None,
        },
        after.updated_at_us,
    )


def integration_found(before: str, check: HealthCheck) -> OutboxEvent:
    """A look at an integration found it otherwise than the look before."""
    return _integration_changed(
        check.tenant_id,
        check.integration_id,
        {
            "aspect": "health",
            "previous_state": before,
            "state": check.state.value,
            "reason": check.error[:500] or None,
            "changed_by": None,
        },
        check.checked_at_us,
    )


def _integration_changed(
    tenant_id: str, integration_id: str, change: Mapping[str, Any], at_us: int
) -> OutboxEvent:
    # What is there for every tenant is the business of the one that runs the installation.
    owner = OPERATOR_TENANT if tenant_id == INSTALLATION else tenant_id
    key = f"{INTEGRATION_STATE_CHANGED}:{tenant_id}:{integration_id}:{change['aspect']}:{at_us}"
    data = {"integration_id": integration_id, **change}
    return event_of(INTEGRATION_STATE_CHANGED, owner, key, data, at_us)


def integration_tools_changed(of: Integration, verdict: PinVerdict, at_us: int) -> OutboxEvent:
    """Tools of an upstream server are not what was accepted; told once a day for what they say, whoever of
    many instances saw it."""
    owner = OPERATOR_TENANT if of.tenant_id == INSTALLATION else of.tenant_id
    said = repr(sorted(verdict.withheld_digests.items()))
    digest = blake2b(said.encode(), digest_size=16).hexdigest()
    key = f"{INTEGRATION_TOOLS_CHANGED}:{of.tenant_id}:{of.integration_id}:{digest}:{at_us // _DAY_US}"
    data = {
        "integration_id": of.integration_id,
        "changed": list(verdict.changed),
        "new": list(verdict.new),
        "gone": list(verdict.gone),
        "digests": dict(verdict.withheld_digests),
    }
    return event_of(INTEGRATION_TOOLS_CHANGED, owner, key, data, at_us)


def audit_checkpoint(note: str, at: datetime, *, origin: str, size: int, root_sha256: str) -> OutboxEvent:
    """The audit trail was signed up to here: for whoever keeps the note elsewhere."""
    data = {"origin": origin, "size": size, "root_sha256": root_sha256, "note": note}
    return event_of(
        AUDIT_CHECKPOINT, OPERATOR_TENANT, f"{AUDIT_CHECKPOINT}:{origin}:{size}", data, epoch_us(at)
    )


def _text(at: datetime | None) -> str | None:
    return None if at is None else moment_text(epoch_us(at))
