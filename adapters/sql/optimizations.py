"""Recommendations, in the database."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, insert, select, update

from adapters.sql.database import REFUSED_VALUES, Database, unavailable
from adapters.sql.optimization_tables import cost_optimizations
from application.ports.optimizations import Optimizations, ordered, too_many
from domain.analytics.estimate import Estimate
from domain.analytics.recommendation import EVIDENCE_CHARS_MAX, Kind, Recommendation, Status, as_gone, as_seen

_ROW: Final = cost_optimizations.c
_SAME: Final = (
    "tenant_id", "optimization_id", "analytics_id", "subject", "sentence", "created_at_us", "seen_at_us",
    "decided_at_us", "decided_by",
)  # fmt: skip
_NANO_USD_MAX: Final = 2**62


class SqlOptimizations(Optimizations):
    """A look replaces its tenant's rows in one transaction, with no other writer beside it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, tenant_id: str) -> list[Recommendation]:
        return ordered(await self._database.read(lambda connection: _all(connection, tenant_id)))

    async def keep(self, tenant_id: str, found: Sequence[Recommendation]) -> None:
        def work(connection: Connection) -> None:
            known = {one.optimization_id: one for one in _all(connection, tenant_id)}
            kept = {one.optimization_id: as_seen(known.get(one.optimization_id), one) for one in found}
            kept |= {key: as_gone(one) for key, one in known.items() if key not in kept}
            for one in too_many(list(kept.values())):
                del kept[one.optimization_id]
            connection.execute(delete(cost_optimizations).where(_ROW.tenant_id == tenant_id))
            if kept:
                connection.execute(insert(cost_optimizations), [_row(one) for one in kept.values()])

        try:
            await self._database.write(work)
        except REFUSED_VALUES as error:
            raise unavailable(error) from error

    async def decide(
        self, tenant_id: str, optimization_id: str, status: Status, *, by: str, at_us: int
    ) -> Recommendation | None:
        mine = (_ROW.tenant_id == tenant_id, _ROW.optimization_id == optimization_id)
        changed = {"status": status.value, "decided_by": by, "decided_at_us": at_us}

        def work(connection: Connection) -> Recommendation | None:
            row = connection.execute(select(cost_optimizations).where(*mine)).first()
            if row is None:
                return None
            connection.execute(update(cost_optimizations).where(*mine).values(**changed))
            return replace(_stored(row), status=status, decided_by=by, decided_at_us=at_us)

        try:
            return await self._database.write(work)
        except REFUSED_VALUES:
            return None  # an id the database cannot even hold is nobody's


def _all(connection: Connection, tenant_id: str) -> list[Recommendation]:
    rows = connection.execute(select(cost_optimizations).where(_ROW.tenant_id == tenant_id))
    return [_stored(row) for row in rows]


def _row(one: Recommendation) -> Mapping[str, Any]:
    saving = (None, None, None) if one.saving is None else map(_bounded, one.saving)
    low, expected, high = saving
    evidence = json.dumps(one.evidence, ensure_ascii=False)
    if len(evidence) > EVIDENCE_CHARS_MAX:
        evidence = json.dumps({"left_out": f"more than {EVIDENCE_CHARS_MAX} characters"})
    return {
        **{name: getattr(one, name) for name in _SAME},
        "kind": one.kind.value,
        "evidence": evidence,
        "saving_low_nano_usd": low,
        "estimated_saving_nano_usd": expected,
        "saving_high_nano_usd": high,
        "status": one.status.value,
    }


def _bounded(amount: int) -> int:
    return max(-_NANO_USD_MAX, min(_NANO_USD_MAX, amount))


def _stored(row: Row[Any]) -> Recommendation:
    saving = None
    if row.estimated_saving_nano_usd is not None:
        saving = Estimate(row.saving_low_nano_usd, row.estimated_saving_nano_usd, row.saving_high_nano_usd)
    return Recommendation(
        **{name: getattr(row, name) for name in _SAME},
        kind=Kind(row.kind),
        evidence=json.loads(row.evidence),
        saving=saving,
        status=Status(row.status),
    )
