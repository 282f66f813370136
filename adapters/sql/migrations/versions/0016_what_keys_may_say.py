"""Keys that turn, that are bound to networks, identities and integrations, and that are heard of one by one.

`revision` is the generation of a key's last change. Keys of before count as of generation 0, which everybody
asks beyond when they start.
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_ADDED = (
    ("networks", sa.Text()),
    ("assertable", sa.Text()),
    ("integrations", sa.Text()),
    ("managed_budgets", sa.Text()),
    ("old_hash", sa.LargeBinary()),
    ("old_pepper_version", sa.Integer()),
    ("old_scheme", sa.Text()),
    ("old_until_us", sa.BigInteger()),
    ("rotated_at_us", sa.BigInteger()),
)
_TEXTS = ("created_by", "revoked_by", "revoked_reason")


def upgrade() -> None:
    for name, kind in _ADDED:
        op.add_column("api_keys", sa.Column(name, kind))
    for name in _TEXTS:
        op.add_column("api_keys", sa.Column(name, sa.Text(), nullable=False, server_default=""))
    op.add_column("api_keys", sa.Column("revision", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_index("ix_api_keys_revision", "api_keys", ["revision"])
    op.create_index("ix_api_keys_created", "api_keys", ["created_at_us", "key_id"])
    op.create_table(
        "key_uses",
        sa.Column("key_id", sa.Text(), primary_key=True),
        sa.Column("used_at_us", sa.BigInteger(), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("key_uses")
    op.drop_index("ix_api_keys_created", "api_keys")
    op.drop_index("ix_api_keys_revision", "api_keys")
    for name in ("revision", *_TEXTS, *(name for name, _ in reversed(_ADDED))):
        op.drop_column("api_keys", name)
