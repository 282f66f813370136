"""What was seen of shadows, in the database."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import (
    CTE,
    ColumnElement,
    Connection,
    Double,
    Select,
    Subquery,
    and_,
    case,
    cast,
    delete,
    func,
    select,
    tuple_,
)

from adapters.sql.database import Database
from adapters.sql.schema import usage_requests
from adapters.sql.shadow_tables import experiment_shadows
from adapters.sql.upserts import insert_into
from application.ports.experiments import FiguresWanted
from application.ports.shadows import PAIRS_MAX, ShadowLog, ShadowPair
from domain.experiments.experiment import Metric, Unit
from domain.experiments.judging import PAIRED, ArmFigures
from domain.experiments.likeness import FINDINGS, LikenessSums
from domain.experiments.sequences import Paired, Sums

PURGED_PER_ROUND: Final = 5_000
_S: Final = experiment_shadows.c
_R: Final = usage_requests.c
_UNITS: Final = {
    Unit.TENANT: (_S.tenant_id,),
    Unit.USER: (_S.tenant_id, _R.user_id),
    Unit.SESSION: (_S.tenant_id, _R.session_id),
    Unit.REQUEST: (_S.request_id,),
}
_SIDES: Final = ("control", "shadow")


class SqlShadowLog(ShadowLog):
    """Sums are made by the database; `reports` is where they are asked for, for they go through many rows."""

    def __init__(self, database: Database, reports: Database) -> None:
        self._database = database
        self._reports = reports

    async def note(self, pairs: Sequence[ShadowPair]) -> None:
        if not pairs:
            return
        rows = [pair._asdict() for pair in pairs]

        def work(connection: Connection) -> None:
            statement = insert_into(connection.dialect, experiment_shadows)
            connection.execute(statement.on_conflict_do_nothing(), rows)

        await self._database.write(work, alone=False)

    async def figures(self, wanted: FiguresWanted) -> Mapping[str, ArmFigures]:
        pairs = _pairs(wanted).cte("pairs")
        units, alike = _sums(_units(pairs, wanted.unit)), _likeness(pairs)

        def work(connection: Connection) -> dict[str, ArmFigures]:
            found = {row["arm"]: row for row in connection.execute(alike).mappings()}
            return {
                row["arm"]: _figures(row, found[row["arm"]])
                for row in connection.execute(units).mappings()
                if row["arm"] in found
            }

        return await self._reports.read(work)

    async def counted(self, experiments: Sequence[str], from_us: int) -> Mapping[tuple[str, str], int]:
        statement = (
            select(_S.experiment_id, _S.arm, func.sum(_S.counted_nano_usd))
            .where(_S.experiment_id.in_(experiments), _S.at_us >= from_us)
            .group_by(_S.experiment_id, _S.arm)
        )
        return await self._database.read(
            lambda connection: {(row[0], row[1]): int(row[2]) for row in connection.execute(statement)}
        )

    async def purge(self, before_us: int) -> int:
        keys = list(experiment_shadows.primary_key.columns)
        old = select(*keys).where(_S.at_us < before_us).limit(PURGED_PER_ROUND)

        def work(connection: Connection) -> int:
            found = [tuple(row) for row in connection.execute(old)]
            if found:
                connection.execute(delete(experiment_shadows).where(tuple_(*keys).in_(found)))
            return len(found)

        gone = 0
        while some := await self._database.write(work, alone=False):
            gone += some
        return gone


def _pairs(wanted: FiguresWanted) -> Select[Any]:
    """One row for each pair that counts; a value stands on both sides or on neither."""
    conditions: list[ColumnElement[bool]] = [_S.experiment_id == wanted.experiment_id]
    if wanted.tenant_id is not None:
        conditions.append(_S.tenant_id == wanted.tenant_id)
    priced = and_(_S.control_cost_nano_usd.is_not(None), _S.shadow_cost_nano_usd.is_not(None))
    answered = and_(_S.control_us.is_not(None), _S.shadow_us.is_not(None))
    values = {
        Metric.COST: (priced, _S.control_cost_nano_usd, _S.shadow_cost_nano_usd),
        Metric.LATENCY: (answered, _S.control_us, _S.shadow_us),
        Metric.ERRORS: (None, case((_S.control_ok, 0), else_=1), case((_S.shadow_ok, 0), else_=1)),
    }
    sides = [
        (value if known is None else case((known, value), else_=None)).label(f"{side}_{metric.value}")
        for metric, (known, *both) in values.items()
        for side, value in zip(_SIDES, both, strict=True)
    ]
    likeness = (
        *(_S.same_turn, _S.same_words, _S.words_in_common, _S.control_chars, _S.shadow_chars),
        *(_S.control_findings, _S.shadow_findings),
    )
    same = and_(_R.tenant_id == _S.tenant_id, _R.request_id == _S.request_id)
    units = (column.label(f"unit_{place}") for place, column in enumerate(_UNITS[wanted.unit]))
    return (
        select(_S.arm, *units, *sides, *likeness)
        .join(usage_requests, same)
        .where(*conditions)
        .order_by(_S.at_us, _S.request_id, _S.arm)
        .limit(PAIRS_MAX)
    )


def _units(pairs: CTE, unit: Unit) -> Subquery:
    """One row for each unit of each arm: the means over its pairs."""
    columns = [pairs.c[f"unit_{place}"] for place in range(len(_UNITS[unit]))]
    means = (
        func.avg(cast(pairs.c[name], Double)).label(name)
        for name in (f"{side}_{metric.value}" for metric in PAIRED for side in _SIDES)
    )
    return (
        select(pairs.c.arm, func.count().label("pairs"), *means)
        .group_by(pairs.c.arm, *columns)
        .subquery("units")
    )


def _sums(units: Subquery) -> Select[Any]:
    parts: list[Any] = []
    for metric in PAIRED:
        control, shadow = (units.c[f"{side}_{metric.value}"] for side in _SIDES)
        parts.append(func.count(shadow).label(f"{metric.value}_count"))
        for name, value in (
            ("control_total", control),
            ("control_squares", control * control),
            ("shadow_total", shadow),
            ("shadow_squares", shadow * shadow),
            ("products", control * shadow),
        ):
            parts.append(func.coalesce(func.sum(value), 0.0).label(f"{metric.value}_{name}"))
    return select(
        units.c.arm, func.count().label("units"), func.sum(units.c.pairs).label("pairs"), *parts
    ).group_by(units.c.arm)


def _likeness(pairs: CTE) -> Select[Any]:
    def many(condition: ColumnElement[bool], label: str) -> ColumnElement[int]:
        return func.sum(case((condition, 1), else_=0)).label(label)

    both = pairs.c.same_words.is_not(None)
    findings = (
        many(pairs.c[f"{side}_findings"].contains(name), f"{side}_{name}")
        for side in _SIDES
        for name in FINDINGS
    )
    return select(
        pairs.c.arm,
        many(pairs.c.same_turn.is_not(None), "turns"),
        many(pairs.c.same_turn.is_(True), "same_turn"),
        many(both, "compared"),
        many(pairs.c.same_words.is_(True), "same_words"),
        func.coalesce(func.sum(case((both, pairs.c.words_in_common), else_=0.0)), 0.0).label("in_common"),
        *(
            func.sum(case((both, pairs.c[f"{side}_chars"]), else_=0)).label(f"{side}_chars")
            for side in _SIDES
        ),
        *findings,
    ).group_by(pairs.c.arm)


def _figures(units: Mapping[Any, Any], alike: Mapping[Any, Any]) -> ArmFigures:
    pairs = {metric: _paired(units, metric) for metric in PAIRED}
    findings = {
        side: {name: count for name in FINDINGS if (count := int(alike[f"{side}_{name}"]))} for side in _SIDES
    }
    return ArmFigures(
        arm=units["arm"],
        units=int(units["units"]),
        requests=int(units["pairs"]),
        sums={metric: each.arm for metric, each in pairs.items()},
        pairs=pairs,
        likeness=LikenessSums(
            turns=int(alike["turns"]),
            same_turn=int(alike["same_turn"]),
            compared=int(alike["compared"]),
            same_words=int(alike["same_words"]),
            words_in_common=float(alike["in_common"]),
            control_chars=int(alike["control_chars"]),
            shadow_chars=int(alike["shadow_chars"]),
            control_findings=findings["control"],
            shadow_findings=findings["shadow"],
        ),
    )


def _paired(units: Mapping[Any, Any], metric: Metric) -> Paired:
    def sums(side: str) -> Sums:
        return Sums(
            count=int(units[f"{metric.value}_count"]),
            total=float(units[f"{metric.value}_{side}_total"]),
            squares=float(units[f"{metric.value}_{side}_squares"]),
        )

    return Paired(
        arm=sums("shadow"), control=sums("control"), products=float(units[f"{metric.value}_products"])
    )
