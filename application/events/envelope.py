"""Events as their subscribers get them: `{id, type, timestamp, tenant_id, data}`, the same everywhere."""

import json
from typing import Any

from application.events.writing import moment_text
from application.ports.event_log import LoggedEvent


def envelope(event: LoggedEvent) -> dict[str, Any]:
    """As `contracts/events/envelope.json` says."""
    return {
        "id": event.event_id,
        "type": event.topic,
        "timestamp": moment_text(event.created_at_us),
        "tenant_id": event.tenant_id,
        "data": json.loads(event.payload),
    }


def envelope_text(event: LoggedEvent) -> str:
    """As one line of JSON."""
    return json.dumps(envelope(event), ensure_ascii=False, separators=(",", ":"))
