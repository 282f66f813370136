"""Integrations and their checks as callers see them. No secret is in them: credentials stand by name."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from application.tools.forms import shown_configuration
from application.use_cases.manage_integrations import IntegrationRecord, Tested
from domain.connectors.health import HealthCheck, availability
from domain.connectors.integration import Integration, IntegrationState
from domain.connectors.monitoring import monitoring_of
from domain.errors import InvalidConfiguration

UNKNOWN: Final = "unknown"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def integration_object(record: IntegrationRecord, breaker: str | None) -> dict[str, Any]:
    """Everything about one; times are ISO, UTC. `breaker` is the state of its breaker in this process."""
    of = record.integration
    return {
        "integration_id": of.integration_id,
        "tenant_id": of.tenant_id,
        "type": of.kind.value,
        "status": of.state.value,
        "health": health_state(record),
        "last_check": None if record.health is None else check_object(record.health),
        "breaker": breaker,
        "configuration": shown_configuration(of) if record.inner else {},
        "monitoring": monitoring_object(of),
        "health_check_url": health_url(of),
        "owner": "file" if of.declared else "api",
        "declared_in": record.declared_in,
        "version": of.version,
        "created_at": None if of.declared else _time(of.created_at_us),
        "updated_at": None if of.declared else _time(of.updated_at_us),
        "updated_by": of.updated_by or None,
    }


def made_object(record: IntegrationRecord) -> dict[str, Any]:
    """What is answered to whoever made one."""
    of = record.integration
    return {
        "integration_id": of.integration_id,
        "status": of.state.value,
        "health_check_url": health_url(of),
    }


def health_object(record: IntegrationRecord, checks: Sequence[HealthCheck]) -> dict[str, Any]:
    """How it is doing and was, the newest first."""
    latest = record.health
    return {
        "integration_id": record.integration.integration_id,
        "status": record.integration.state.value,
        "health": health_state(record),
        "checked_at": None if latest is None else _time(latest.checked_at_us),
        "latency_ms": None if latest is None else _ms(latest.latency_ms),
        "error": None if latest is None else latest.error or None,
        "consecutive_failures": 0 if latest is None else latest.failures,
        "availability": availability(checks),
        "monitoring": monitoring_object(record.integration),
        "checks": [check_object(check) for check in checks],
    }


def check_object(check: HealthCheck) -> dict[str, Any]:
    """One look."""
    return {
        "checked_at": _time(check.checked_at_us),
        "state": check.state.value,
        "latency_ms": _ms(check.latency_ms),
        "error": check.error or None,
    }


def tested_object(tested: Tested) -> dict[str, Any]:
    """What a test found."""
    return {
        "integration_id": tested.integration.integration_id,
        "status": tested.integration.state.value,
        "health": tested.check.state.value,
        "checked_at": _time(tested.check.checked_at_us),
        "latency_ms": _ms(tested.check.latency_ms),
        "facts": dict(tested.facts),
    }


def monitoring_object(integration: Integration) -> Mapping[str, Any]:
    """With what is usual where nothing is said."""
    try:
        monitoring = monitoring_of(integration.monitoring)
    except InvalidConfiguration:
        return dict(integration.monitoring)
    return {
        "enabled": monitoring.enabled,
        "interval_s": monitoring.interval_s,
        "metrics": sorted(monitoring.metrics),
    }


def health_state(record: IntegrationRecord) -> str:
    """Of one that is paused, what its owner said; else what the last look found."""
    if record.integration.state is IntegrationState.MAINTENANCE:
        return IntegrationState.MAINTENANCE.value
    if record.integration.state is IntegrationState.DISABLED or record.health is None:
        return UNKNOWN
    return record.health.state.value


def health_url(integration: Integration) -> str:
    """Where its health is told."""
    return f"/api/v1/integrations/{integration.integration_id}/health"


def _time(us: int) -> str:
    return (_EPOCH + timedelta(microseconds=us)).isoformat()


def _ms(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
