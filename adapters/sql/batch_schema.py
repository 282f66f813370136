"""Tables of batches and of the files they read and write."""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Table, Text

from adapters.sql.schema import metadata

files: Final = Table(
    "files",
    metadata,
    Column("file_id", Text, primary_key=True),
    Column("tenant_id", Text, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("filename", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("created_at_us", BigInteger, nullable=False),
    Column("expires_at_us", BigInteger, nullable=False, index=True),
    Index("ix_files_tenant_file", "tenant_id", "file_id"),
)
"""The bytes are on the disk, under the tenant and the id."""

batches: Final = Table(
    "batches",
    metadata,
    Column("batch_id", Text, primary_key=True),
    Column("tenant_id", Text, nullable=False),
    Column("status", Text, nullable=False, index=True),
    Column("input_file_id", Text, nullable=False),
    Column("created_at_us", BigInteger, nullable=False),
    Column("cancelling_at_us", BigInteger),
    Column("fence", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Index("ix_batches_tenant_batch", "tenant_id", "batch_id"),
)
"""`body` is the batch as JSON; `fence` and `cancelling_at_us` are written by others than its runner too."""
