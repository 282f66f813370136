"""On PostgreSQL, every table that has rows of tenants gets a policy: the second wall between them."""

from alembic import op

from adapters.sql.row_security import protection, unprotection

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

TABLES = (
    "affinity_places", "api_keys", "audit_anchors", "audit_entries", "audit_heads", "audit_stretches",
    "batches", "budget_accounts", "budgets", "files", "outbox", "projects", "rate_limits", "roles", "stops",
    "stored_answers", "tenants", "usage_requests", "usage_rollups", "vault_credentials", "vault_manifests",
)  # fmt: skip


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for table in TABLES:
            for statement in protection(table):
                op.execute(statement)


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for table in reversed(TABLES):
            for statement in unprotection(table):
                op.execute(statement)
