"""Usage rows and their sums tell what answer caches and prompt caches saved."""

import hashlib

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_SHARED = (
    "provider", "model", "route", "key_id", "team", "project", "cost_center", "operation", "outcome",
)  # fmt: skip
_OLD_SUMS = (
    "requests", "ok_requests", "attempts", "input_tokens", "output_tokens", "cached_read_tokens",
    "cache_write_tokens", "reasoning_tokens", "cost_nano_usd", "attempt_cost_nano_usd", "unpriced_requests",
    "estimated_requests", "duration_us", "upstream_us", "first_token_us", "first_token_requests",
)  # fmt: skip
_NEW_SUMS = (
    "cache_lookups", "cache_hits", "saved_nano_usd", "unpriced_hits", "prompt_cache_saved_nano_usd",
    "unpriced_prompt_cache_attempts",
)  # fmt: skip
_SUM_MAX = 2**62


def upgrade() -> None:
    # Constants only: neither database rewrites a table for them. Nothing was cached before.
    op.add_column("usage_requests", sa.Column("saved_nano_usd", sa.BigInteger(), server_default="0"))
    op.add_column("usage_requests", sa.Column("cache_similarity", sa.Double()))
    op.add_column("usage_attempts", sa.Column("prompt_cache_saved_nano_usd", sa.BigInteger()))
    op.add_column("usage_rollups", sa.Column("cache", sa.Text(), nullable=False, server_default="off"))
    for name in _NEW_SUMS:
        op.add_column("usage_rollups", sa.Column(name, sa.BigInteger(), nullable=False, server_default="0"))


def downgrade() -> None:
    _fold_groups_of_caches()
    for name in reversed(_NEW_SUMS):
        op.drop_column("usage_rollups", name)
    op.drop_column("usage_rollups", "cache")
    op.drop_column("usage_attempts", "prompt_cache_saved_nano_usd")
    op.drop_column("usage_requests", "cache_similarity")
    op.drop_column("usage_requests", "saved_nano_usd")


def _fold_groups_of_caches() -> None:
    """Groups that differ by what the cache did become one, under the name such a group had before."""
    connection = op.get_bind()
    table = sa.table(
        "usage_rollups",
        *(sa.column(name) for name in ("tenant_id", "hour_us", "group_id", *_SHARED, "cache", *_OLD_SUMS)),
    )
    found = connection.execute(sa.select(table).where(table.c.cache != "off")).mappings().all()
    groups: dict[tuple[str, int, str], dict[str, int]] = {}
    shared: dict[tuple[str, int, str], dict[str, str]] = {}
    for row in found:
        text = "\x1f".join(row[name] for name in _SHARED).encode(errors="surrogatepass")
        place = (row["tenant_id"], row["hour_us"], hashlib.sha256(text).hexdigest()[:32])
        sums = groups.setdefault(place, dict.fromkeys(_OLD_SUMS, 0))
        shared[place] = {name: row[name] for name in _SHARED}
        for name in _OLD_SUMS:
            sums[name] += row[name]
    connection.execute(sa.delete(table).where(table.c.cache != "off"))
    for place, sums in groups.items():
        here = sa.and_(*(table.c[name] == value for name, value in zip(_PLACE, place, strict=True)))
        old = connection.execute(sa.select(table).where(here)).mappings().one_or_none()
        if old is None:
            values = {**dict(zip(_PLACE, place, strict=True)), **shared[place], "cache": "off"}
            connection.execute(sa.insert(table).values(**values, **_bounded(sums)))
        else:
            total = {name: old[name] + amount for name, amount in sums.items()}
            connection.execute(sa.update(table).where(here).values(**_bounded(total)))


_PLACE = ("tenant_id", "hour_us", "group_id")


def _bounded(sums: dict[str, int]) -> dict[str, int]:
    return {name: min(amount, _SUM_MAX) for name, amount in sums.items()}
