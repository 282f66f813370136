"""What recommendations know of quality: this tenant's, where enough was said."""

from application.learned_quality import learned_quality
from application.ports.quality import CellFilter
from domain.quality.cells import CellCounts, CellKey
from domain.quality.scores import Opinions


class Cells:
    """Answers with these cells, and remembers what it was asked."""

    def __init__(self, *cells: CellCounts) -> None:
        self.asked: list[CellFilter] = []
        self._cells = cells

    async def cells(self, where: CellFilter, *, tenants: bool = False) -> list[CellCounts]:
        self.asked.append(where)
        return list(self._cells)


def cell(model: str, route: str, task: str, number: int, mean: float) -> CellCounts:
    return CellCounts(
        CellKey("acme", model, task, route), feedback=Opinions(number, number * mean), requests=9
    )


async def test_a_route_of_its_own_counts_before_all_routes_together() -> None:
    store = Cells(
        cell("small", "support", "chat", 20, 0.9),
        cell("small", "support", "code", 20, 0.9),
        cell("small", "batch", "chat", 40, 0.2),
        cell("large", "support", "chat", 10, 1.0),
    )

    of, at = await learned_quality(store, "t1", 5, 9)  # type: ignore[arg-type]

    here, there, anywhere = (
        of("support", "acme", "small"),
        of("batch", "acme", "small"),
        of("new", "acme", "small"),
    )
    assert here is not None
    assert there is not None
    assert anywhere is not None
    assert there.mean < anywhere.mean < here.mean
    assert (here.answers, there.answers, anywhere.answers) == (40, 40, 80)
    assert here.low < here.mean < here.high
    assert of("support", "acme", "large") is None, "ten opinions say too little"
    assert store.asked == [CellFilter(tenant_id="t1", from_us=5, to_us=9)]

    chat = at("chat", "acme", "small")
    assert chat is not None and chat.answers == 60, "of all routes together"
    assert at("code", "acme", "small") is None, "twenty opinions say too little"
