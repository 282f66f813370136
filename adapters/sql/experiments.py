"""Experiments in the database, and what usage rows tell of them."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Double,
    Select,
    TextClause,
    and_,
    case,
    cast,
    delete,
    func,
    insert,
    or_,
    select,
    text,
    union_all,
    update,
)
from sqlalchemy.exc import IntegrityError

from adapters.sql.database import Database
from adapters.sql.experiment_tables import experiment_generation, experiments
from adapters.sql.outbox import tell
from adapters.sql.quality_tables import feedback, quality_observations
from adapters.sql.schema import usage_requests
from application.ports.experiments import (
    ROWS_MAX,
    ExperimentFigures,
    ExperimentStore,
    FiguresWanted,
    StoredExperiment,
)
from application.ports.outbox import OutboxEvent
from domain.errors import Conflict, NoProviderAvailable
from domain.experiments.experiment import Metric, Unit
from domain.experiments.judging import ArmFigures
from domain.experiments.sequences import Sums

_C: Final = experiments.c
_R: Final = usage_requests.c
_UNITS: Final = {
    Unit.TENANT: (_R.tenant_id,),
    Unit.USER: (_R.tenant_id, _R.user_id),
    Unit.SESSION: (_R.tenant_id, _R.session_id),
    Unit.REQUEST: (_R.request_id,),
}
_NOBODY_COULD: Final = and_(_R.outcome == "refused", _R.error_code == NoProviderAvailable.code)


class SqlExperimentStore(ExperimentStore):
    """Every change counts the generation up in its own transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> list[StoredExperiment]:
        statement = select(*(_C[name] for name in StoredExperiment._fields)).order_by(_C.experiment_id)
        return await self._database.read(
            lambda connection: [StoredExperiment(*row) for row in connection.execute(statement)]
        )

    async def put(self, experiment: StoredExperiment, events: Sequence[OutboxEvent] = ()) -> bool:
        values = {**experiment._asdict(), "revision": experiment.revision + 1}

        def work(connection: Connection) -> bool:
            namesake = select(_C.experiment_id).where(
                _C.tenant_id == experiment.tenant_id,
                _C.name == experiment.name,
                _C.experiment_id != experiment.experiment_id,
            )
            if connection.execute(namesake).first() is not None:
                raise _taken(experiment)
            mine = and_(_C.experiment_id == experiment.experiment_id, _C.tenant_id == experiment.tenant_id)
            if experiment.revision:
                same = and_(mine, _C.revision == experiment.revision)
                if not connection.execute(update(experiments).where(same).values(**values)).rowcount:
                    return False
            else:
                known = select(_C.experiment_id).where(_C.experiment_id == experiment.experiment_id)
                if connection.execute(known).first() is not None:
                    return False
                connection.execute(insert(experiments).values(**values))
            for event in events:
                tell(connection, event)
            _count_up(connection)
            return True

        try:
            return await self._database.write(work)
        except IntegrityError as error:
            raise _taken(experiment) from error

    async def delete(self, tenant_id: str, experiment_id: str) -> bool:
        def work(connection: Connection) -> bool:
            mine = (_C.tenant_id == tenant_id, _C.experiment_id == experiment_id)
            gone = connection.execute(delete(experiments).where(*mine)).rowcount > 0
            if gone:
                _count_up(connection)
            return gone

        return await self._database.write(work)

    async def generation(self) -> int:
        return await self._database.read(
            lambda connection: int(
                connection.execute(select(experiment_generation.c.generation)).scalar_one()
            )
        )


class SqlExperimentFigures(ExperimentFigures):
    """Added up by the database: what comes back is a row for each arm."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def figures(self, wanted: FiguresWanted) -> Mapping[str, ArmFigures]:
        statement = _sums(_units(_requests(wanted), wanted.unit))
        rows = await self._database.read(lambda connection: connection.execute(statement).mappings().all())
        return {row["arm"]: _figures(row) for row in rows}


def _requests(wanted: FiguresWanted) -> Select[Any]:
    """One row for each request that counts."""
    answered = _R.outcome.in_(("ok", "error", "cut"))
    conditions: list[ColumnElement[bool] | TextClause] = [
        _R.experiment == wanted.experiment_id,
        # Said once more, word for word as the index has it that holds only such rows: or it is not used.
        text("usage_requests.experiment <> ''"),
        or_(answered, _NOBODY_COULD),
    ]
    if wanted.tenant_id is not None:
        conditions.append(_R.tenant_id == wanted.tenant_id)
    ok = _R.outcome == "ok"
    return (
        select(
            _R.arm,
            *(column.label(f"unit_{place}") for place, column in enumerate(_UNITS[wanted.unit])),
            _R.tenant_id,
            _R.request_id,
            _R.cost_nano_usd.label(Metric.COST.value),
            case((ok, _R.duration_us), else_=None).label(Metric.LATENCY.value),
            case((ok, 0), else_=1).label(Metric.ERRORS.value),
        )
        .where(*conditions)
        .order_by(_R.started_at_us, _R.request_id)
        .limit(ROWS_MAX)
    )


def _scores(requests: Any) -> Any:
    """The mean score of each of these requests that anybody scored."""
    said = [
        select(table.c.tenant_id, table.c.request_id, table.c.score)
        .join(
            requests,
            and_(
                table.c.tenant_id == requests.c.tenant_id,
                table.c.request_id == requests.c.request_id,
            ),
        )
        .where(table.c.score.is_not(None))
        for table in (feedback, quality_observations)
    ]
    every = union_all(*said).subquery("said")
    return (
        select(every.c.tenant_id, every.c.request_id, func.avg(every.c.score).label("score"))
        .group_by(every.c.tenant_id, every.c.request_id)
        .subquery("scores")
    )


def _units(requests: Select[Any], unit: Unit) -> Any:
    """One row for each unit of each arm: the means over its requests. NULL is left out of a mean."""
    counted = requests.cte("counted")
    scores = _scores(counted)
    columns = [counted.c[f"unit_{place}"] for place in range(len(_UNITS[unit]))]
    means = {
        metric: scores.c.score if metric is Metric.QUALITY else counted.c[metric.value] for metric in Metric
    }
    return (
        select(
            counted.c.arm,
            func.count().label("requests"),
            *(func.avg(cast(value, Double)).label(metric.value) for metric, value in means.items()),
        )
        .select_from(
            counted.outerjoin(
                scores,
                and_(
                    scores.c.tenant_id == counted.c.tenant_id,
                    scores.c.request_id == counted.c.request_id,
                ),
            )
        )
        .group_by(counted.c.arm, *columns)
        .subquery("units")
    )


def _sums(units: Any) -> Select[Any]:
    parts: list[Any] = []
    for metric in Metric:
        value = units.c[metric.value]
        parts += [
            func.count(value).label(f"{metric.value}_count"),
            func.coalesce(func.sum(value), 0.0).label(f"{metric.value}_total"),
            func.coalesce(func.sum(value * value), 0.0).label(f"{metric.value}_squares"),
        ]
    return select(
        units.c.arm,
        func.count().label("units"),
        func.sum(units.c.requests).label("requests"),
        *parts,
    ).group_by(units.c.arm)


def _figures(values: Mapping[Any, Any]) -> ArmFigures:
    return ArmFigures(
        arm=values["arm"],
        units=int(values["units"]),
        requests=int(values["requests"]),
        sums={
            metric: Sums(
                count=int(values[f"{metric.value}_count"]),
                total=float(values[f"{metric.value}_total"]),
                squares=float(values[f"{metric.value}_squares"]),
            )
            for metric in Metric
        },
    )


def _taken(experiment: StoredExperiment) -> Conflict:
    return Conflict(f"another experiment is called {experiment.name!r}", param="name")


def _count_up(connection: Connection) -> None:
    connection.execute(
        update(experiment_generation).values(generation=experiment_generation.c.generation + 1)
    )
