"""The tables of the vault."""

from typing import Final

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, Table, Text, UniqueConstraint

from adapters.sql.schema import metadata

vault_credentials: Final = Table(
    "vault_credentials",
    metadata,
    Column("credential_id", Text, primary_key=True),
    Column("tenant_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("integration", Text, nullable=False),
    Column("field", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("key_id", Text, nullable=False, index=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("sealed_at_us", BigInteger, nullable=False),
    Column("created_at_us", BigInteger, nullable=False),
    Column("updated_at_us", BigInteger, nullable=False),
    Column("updated_by", Text, nullable=False),
    UniqueConstraint("tenant_id", "name", name="uq_vault_credentials_tenant_id"),
)
"""The tenant that has no name is the vault itself."""

vault_manifests: Final = Table(
    "vault_manifests",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("body", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
)

vault_retired_keys: Final = Table(
    "vault_retired_keys",
    metadata,
    Column("key_id", Text, primary_key=True),
)
"""Nothing comes under these any more."""

vault_state: Final = Table(
    "vault_state",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("generation", BigInteger, nullable=False),
    Column("rotation", Text),
)
"""One row. `generation` is counted up by every change; `rotation` is the newest one, as JSON."""
