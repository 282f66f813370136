"""The table of logins."""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Table, Text

from adapters.sql.schema import metadata

login_sessions: Final = Table(
    "login_sessions",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("tenant_id", Text, nullable=False, index=True),
    Column("issuer", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("identity", Text, nullable=False),
    Column("policy", Text, nullable=False),
    Column("created_at_us", BigInteger, nullable=False),
    Column("seen_at_us", BigInteger, nullable=False, index=True),
    Column("ends_at_us", BigInteger, nullable=False, index=True),
    Index("ix_login_sessions_subject", "issuer", "subject"),
)
"""`digest` is of the secret in the browser, which stands nowhere; `identity` is JSON."""
