"""Rows of webhooks as values, and back."""

from collections.abc import Collection
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, Table, and_, or_, tuple_, update

from adapters.sql.webhook_tables import webhook_deliveries, webhook_generation
from application.webhooks.telling import read_terms, terms_text
from domain.webhooks.delivery import Delivery, DeliveryState
from domain.webhooks.endpoint import Endpoint, EndpointState
from domain.webhooks.health import FailureRun

US: Final = 1_000_000
DELIVERY: Final = tuple(webhook_deliveries.c)


def count_up(connection: Connection) -> None:
    """Some endpoint changed. First in its transaction: the row's lock makes changes wait for one another."""
    connection.execute(update(webhook_generation).values(generation=webhook_generation.c.generation + 1))


def among(connection: Connection, table: Table, pairs: Collection[tuple[str, int]]) -> ColumnElement[bool]:
    """Rows of these pairs of an endpoint and a place, at least one, found by the table's key."""
    if connection.dialect.name == "postgresql":
        return tuple_(table.c.endpoint_id, table.c.seq).in_(pairs)
    # SQLite goes through the whole table for a list of pairs.
    places: dict[str, list[int]] = {}
    for endpoint_id, seq in pairs:
        places.setdefault(endpoint_id, []).append(seq)
    return or_(
        *(
            and_(table.c.endpoint_id == endpoint_id, table.c.seq.in_(seqs))
            for endpoint_id, seqs in places.items()
        )
    )


def endpoint_of(row: Row[Any]) -> Endpoint:
    """Raises InvalidConfiguration or ValueError for one that cannot be read."""
    return Endpoint(
        endpoint_id=row.endpoint_id,
        tenant_id=row.tenant_id,
        terms=read_terms(row.body),
        state=EndpointState(row.state),
        reason=row.reason,
        failing=FailureRun(_seconds(row.first_failure_us), _seconds(row.failing_since_us)),
        declared=bool(row.declared),
        created_at_us=row.created_at_us,
        updated_at_us=row.updated_at_us,
        revision=row.revision,
    )


def endpoint_values(endpoint: Endpoint) -> dict[str, Any]:
    """As it stands in its row."""
    return {
        "endpoint_id": endpoint.endpoint_id,
        "tenant_id": endpoint.tenant_id,
        "body": terms_text(endpoint.terms),
        "ordered": endpoint.terms.ordered,
        "state": endpoint.state.value,
        "reason": endpoint.reason,
        "first_failure_us": _micros(endpoint.failing.first_at_s),
        "failing_since_us": _micros(endpoint.failing.clock_since_s),
        "declared": endpoint.declared,
        "created_at_us": endpoint.created_at_us,
        "updated_at_us": endpoint.updated_at_us,
        "revision": endpoint.revision,
    }


def delivery_of(row: Any) -> Delivery:
    """From a row that begins with the columns of `DELIVERY`."""
    return Delivery(
        endpoint_id=row.endpoint_id,
        seq=row.seq,
        tenant_id=row.tenant_id,
        topic=row.topic,
        state=DeliveryState(row.state),
        due_at_us=row.due_at_us,
        fence=row.fence,
        attempts=row.attempts,
        created_at_us=row.created_at_us,
        settled_at_us=row.settled_at_us,
        last_outcome=row.last_outcome,
        last_status=row.last_status,
    )


def delivery_values(delivery: Delivery) -> dict[str, Any]:
    """As it stands in its row."""
    return {
        column.name: delivery.state.value if column.name == "state" else getattr(delivery, column.name)
        for column in DELIVERY
    }


def _seconds(at_us: int | None) -> float | None:
    return None if at_us is None else at_us / US


def _micros(at_s: float | None) -> int | None:
    return None if at_s is None else round(at_s * US)
