"""What people, judges and checks said of a tenant's answers, as recommendations need it."""

from typing import Final

from application.ports.quality import CellFilter, QualityStore
from domain.analytics.facts import QualityAt, QualityFact, QualityOf
from domain.quality.cells import ANY, CellCounts, grouped
from domain.quality.scores import OPINIONS_ENOUGH, quality_of

_BY_ROUTE: Final = ("route", "provider", "model")
_BY_TASK: Final = ("task", "provider", "model")


async def learned_quality(
    store: QualityStore, tenant_id: str, from_us: int, to_us: int
) -> tuple[QualityOf, QualityAt]:
    """Of one tenant's own answers in this time. Of a model on a route where enough was said of it there, else
    of the model wherever it answered; and of a model at a task, on all routes. Of what too little was said,
    nothing.

    Raises StoreUnavailable.
    """
    cells = await store.cells(CellFilter(tenant_id=tenant_id, from_us=from_us, to_us=to_us))
    facts = {
        (cell.key.route, cell.key.provider, cell.key.model): _fact(cell)
        for by in (_BY_ROUTE, _BY_ROUTE[1:])
        for cell in grouped(cells, by)
        if cell.evidence.opinions >= OPINIONS_ENOUGH
    }

    at_tasks = {
        (cell.key.task, cell.key.provider, cell.key.model): _fact(cell)
        for cell in grouped(cells, _BY_TASK)
        if cell.key.task and cell.evidence.opinions >= OPINIONS_ENOUGH
    }

    def of(route: str, provider: str, model: str) -> QualityFact | None:
        return facts.get((route, provider, model)) or facts.get((ANY, provider, model))

    def at(task: str, provider: str, model: str) -> QualityFact | None:
        return at_tasks.get((task, provider, model))

    return of, at


def _fact(cell: CellCounts) -> QualityFact:
    found = quality_of(cell.evidence, None)
    return QualityFact(found.low, found.value, found.high, round(cell.evidence.opinions))
