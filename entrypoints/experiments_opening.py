"""Which stores stand behind experiments."""

from adapters.sql.database import Database
from adapters.sql.experiments import SqlExperimentFigures, SqlExperimentStore
from adapters.sql.shadows import SqlShadowLog
from adapters.wire.cache_reader import DialectCacheReader
from adapters.wire.unstreamed import WireUnstreamed
from application.affinity import AffinityBook
from application.ports.system import Clock, IdFactory
from entrypoints.experimenting import Copying, Experimenting, make_experimenting


def open_experimenting(
    database: Database, reports: Database, affinity: AffinityBook, clock: Clock, ids: IdFactory
) -> Experimenting:
    """Opens nothing. Figures are read where reports are: they go through many rows."""
    return make_experimenting(
        SqlExperimentStore(database),
        SqlExperimentFigures(reports),
        SqlShadowLog(database, reports),
        Copying(DialectCacheReader(), WireUnstreamed()),
        affinity,
        clock,
        ids,
    )
