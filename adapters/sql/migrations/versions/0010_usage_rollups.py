"""Usage is summed up by the hour; what is there already is counted now."""

import hashlib

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_SHARED = (
    "provider", "model", "route", "key_id", "team", "project", "cost_center", "operation", "outcome",
)  # fmt: skip
_SUMS = {
    "requests": "COUNT(*)",
    "ok_requests": "SUM(CASE WHEN r.outcome = 'ok' THEN 1 ELSE 0 END)",
    "attempts": "COALESCE(SUM(a.attempts), 0)",
    "input_tokens": "SUM(r.input_tokens)",
    "output_tokens": "SUM(r.output_tokens)",
    "cached_read_tokens": "SUM(r.cached_read_tokens)",
    "cache_write_tokens": "SUM(r.cache_write_tokens)",
    "reasoning_tokens": "SUM(r.reasoning_tokens)",
    "cost_nano_usd": "COALESCE(SUM(r.cost_nano_usd), 0)",
    "attempt_cost_nano_usd": "COALESCE(SUM(a.cost_nano_usd), 0)",
    "unpriced_requests": "SUM(CASE WHEN r.cost_nano_usd IS NULL THEN 1 ELSE 0 END)",
    "estimated_requests": "SUM(CASE WHEN r.estimated THEN 1 ELSE 0 END)",
    "duration_us": "SUM(r.duration_us)",
    "upstream_us": "SUM(r.upstream_us)",
    "first_token_us": "COALESCE(SUM(r.first_token_us), 0)",
    "first_token_requests": "COUNT(r.first_token_us)",
}
_SUM_MAX = 2**62
_HOUR = "(r.started_at_us / 3600000000) * 3600000000"
_ROWS_PER_INSERT = 1000


def upgrade() -> None:
    table = op.create_table(
        "usage_rollups",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("hour_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("group_id", sa.Text(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in _SHARED),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in _SUMS),
        sa.PrimaryKeyConstraint("tenant_id", "hour_us", "group_id"),
        sqlite_with_rowid=False,
    )
    shared = ", ".join(f"r.{name}" for name in _SHARED)
    sums = ", ".join(f"{sql} AS {name}" for name, sql in _SUMS.items())
    rows = op.get_bind().execute(
        sa.text(
            f"SELECT r.tenant_id, {_HOUR} AS hour_us, {shared}, {sums} FROM usage_requests r "  # noqa: S608
            "LEFT JOIN (SELECT request_id, COUNT(*) AS attempts, SUM(cost_nano_usd) AS cost_nano_usd "
            "FROM usage_attempts GROUP BY request_id) a ON a.request_id = r.request_id "
            f"GROUP BY r.tenant_id, {_HOUR}, {shared}"
        )
    )
    found = [_row(row) for row in rows.mappings()]
    for start in range(0, len(found), _ROWS_PER_INSERT):
        op.bulk_insert(table, found[start : start + _ROWS_PER_INSERT])


def _row(found: sa.RowMapping) -> dict[str, str | int]:
    text = "\x1f".join(found[name] for name in _SHARED).encode(errors="surrogatepass")
    return {
        "tenant_id": found["tenant_id"],
        "hour_us": found["hour_us"],
        "group_id": hashlib.sha256(text).hexdigest()[:32],
        **{name: found[name] for name in _SHARED},
        **{name: min(max(int(found[name]), 0), _SUM_MAX) for name in _SUMS},
    }


def downgrade() -> None:
    op.drop_table("usage_rollups")
