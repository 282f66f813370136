"""The tables of tenants, their projects and their roles."""

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Table, Text

from adapters.sql.schema import metadata

tenants: Final = Table(
    "tenants",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("described", Boolean, nullable=False),
    Column("state", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("organisation", Text, nullable=False),
    Column("demands", Text, nullable=False),
    Column("created_at_us", BigInteger),
    Column("updated_at_us", BigInteger),
)
"""`demands` is a JSON object of everything else a description says. Not `described`: it came to be known
with its first key."""

projects: Final = Table(
    "projects",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("cost_center", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("created_at_us", BigInteger),
    Column("updated_at_us", BigInteger),
)

roles: Final = Table(
    "roles",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("description", Text, nullable=False),
    Column("permissions", Text, nullable=False),
    Column("created_at_us", BigInteger),
    Column("updated_at_us", BigInteger),
)
"""`permissions` is a JSON array."""

tenancy_generations: Final = Table(
    "tenancy_generations",
    metadata,
    Column("of", Text, primary_key=True),
    Column("generation", BigInteger, nullable=False),
)
"""Rows `tenants` and `roles`, each counted up by every change of its table."""
