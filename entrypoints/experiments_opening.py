"""Which stores stand behind experiments."""

from adapters.sql.database import Database
from adapters.sql.experiments import SqlExperimentFigures, SqlExperimentStore
from application.affinity import AffinityBook
from application.ports.system import Clock, IdFactory
from entrypoints.experimenting import Experimenting, make_experimenting


def open_experimenting(
    database: Database, reports: Database, affinity: AffinityBook, clock: Clock, ids: IdFactory
) -> Experimenting:
    """Opens nothing. Figures are read where reports are: they go through many rows."""
    return make_experimenting(
        SqlExperimentStore(database), SqlExperimentFigures(reports), affinity, clock, ids
    )
