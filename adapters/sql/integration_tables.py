"""The tables of integrations and of how they were doing."""

from typing import Any, Final

from sqlalchemy import JSON, BigInteger, Column, Double, Index, Integer, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from adapters.sql.schema import metadata

Json: Final[Any] = JSON().with_variant(JSONB(), "postgresql")

integrations: Final = Table(
    "integrations",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("integration_id", Text, primary_key=True),
    Column("type", Text, nullable=False),
    Column("configuration", Json, nullable=False),
    Column("circuit_breaker_config", Json, nullable=False),
    Column("monitoring_config", Json, nullable=False),
    Column("credentials", Json, nullable=False),
    Column("state", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("created_at_us", BigInteger, nullable=False),
    Column("updated_at_us", BigInteger, nullable=False),
    Column("updated_by", Text, nullable=False),
    Index("ix_integrations_type", "type"),
    Index("ix_integrations_created", "created_at_us"),
)
"""`credentials` maps fields to the names the vault keeps them under; no secret is in any column."""

integration_generation: Final = Table(
    "integration_generation",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("generation", BigInteger, nullable=False),
)
"""One row, counted up by every change of any integration."""

integration_health_checks: Final = Table(
    "integration_health_checks",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("integration_id", Text, primary_key=True),
    Column("checked_at_us", BigInteger, primary_key=True, autoincrement=False),
    Column("state", Text, nullable=False),
    Column("latency_ms", Double),
    Column("error", Text, nullable=False),
    Column("failures", BigInteger, nullable=False),
    Index("ix_integration_health_checks_time", "checked_at_us"),
)

integration_health_claims: Final = Table(
    "integration_health_claims",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("integration_id", Text, primary_key=True),
    Column("until_us", BigInteger, nullable=False),
)
"""Until when some instance has taken on to look at an integration."""
