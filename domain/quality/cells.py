"""Cells of the quality tables: what was counted of the answers of one model, and what that says."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from domain.quality.scores import (
    FAILING_PRIOR_STRENGTH,
    OPINIONS_ENOUGH,
    PRIOR_STRENGTH,
    UNDECLARED_STRENGTH,
    Evidence,
    Interval,
    Opinions,
    difference,
    failing_difference,
    quality_of,
)

ANY: Final = ""
"""Stands in a key for all values of a dimension that nobody asked to be told apart."""
DIMENSIONS: Final = ("provider", "model", "task", "route")
TENANT_OPINIONS_MAX: Final = 200.0
"""Weighed opinions, and likewise checks, that one tenant's answers count for in what routing learns."""
TENANT_SHARE_MAX: Final = 0.5
"""Where others use a model too: of what the declaration and all others together count for."""


class CellKey(NamedTuple):
    """Whose answers, to what. `model` is the provider's name of it."""

    provider: str
    model: str
    task: str
    route: str
    tenant_id: str = ANY


class CellCounts(NamedTuple):
    """What was counted. Durations are microseconds, money nano-dollars over what is known.

    `requests` are those that were answered, all of them; `judged` and `checked` are of samples.
    """

    key: CellKey
    feedback: Opinions = Opinions()
    labels: int = 0
    """Feedback with a label that is worth no score."""
    judged: Opinions = Opinions()
    checked: int = 0
    failed: int = 0
    refusals_found: int = 0
    json_found_broken: int = 0
    """Of `checked`: no JSON, or of another schema, where one was asked for."""
    requests: int = 0
    truncated: int = 0
    refused: int = 0
    empty: int = 0
    cut: int = 0
    duration_us: int = 0
    cost_nano_usd: int = 0
    unpriced: int = 0

    @property
    def evidence(self) -> Evidence:
        """Of quality."""
        return Evidence(self.feedback, self.judged, self.checked, self.failed)


class Comparison(NamedTuple):
    """Two models at one task. `better` is None where nothing can be said; `why` says why."""

    task: str
    one: CellCounts
    other: CellCounts
    difference: Interval | None
    failing_difference: Interval | None
    better: str | None
    why: str


Declared = Mapping[tuple[str, str], float]
"""Qualities that the catalogue or the operator declared, by (provider, model)."""


def with_any_provider(declared: Declared) -> dict[tuple[str, str], float]:
    """The same, and for each model the mean over its providers under (ANY, model)."""
    of_model: dict[str, list[float]] = defaultdict(list)
    for (_, model), quality in declared.items():
        of_model[model].append(quality)
    return {**declared, **{(ANY, model): sum(all_) / len(all_) for model, all_ in of_model.items()}}


def grouped(cells: Iterable[CellCounts], by: Sequence[str], *, tenants: bool = False) -> list[CellCounts]:
    """The same counts by fewer dimensions; the busiest first."""
    groups: dict[CellKey, list[CellCounts]] = defaultdict(list)
    for cell in cells:
        key = cell.key
        kept = {name: getattr(key, name) if name in by else ANY for name in DIMENSIONS}
        groups[CellKey(**kept, tenant_id=key.tenant_id if tenants else ANY)].append(cell)
    made = [summed(key, group) for key, group in groups.items()]
    return sorted(made, key=lambda cell: (-cell.requests, -cell.evidence.opinions, cell.key))


def summed(key: CellKey, cells: Iterable[CellCounts]) -> CellCounts:
    """One cell of several."""
    total = CellCounts(key)
    for cell in cells:
        total = CellCounts(
            key,
            _both(total.feedback, cell.feedback),
            total.labels + cell.labels,
            _both(total.judged, cell.judged),
            *(mine + theirs for mine, theirs in zip(total[4:], cell[4:], strict=True)),
        )
    return total


def learned_qualities(cells: Iterable[CellCounts], declared: Declared) -> dict[tuple[str, str], float]:
    """What routing may take for the quality of each (provider, model) that anybody looked at; as
    `fair_qualities`."""
    found = fair_qualities(cells, declared, ("provider", "model"))
    return {(key.provider, key.model): quality for key, quality in found}


def fair_qualities(
    cells: Iterable[CellCounts], declared: Declared, by: Sequence[str]
) -> list[tuple[CellKey, float]]:
    """What to expect of models by these dimensions, where anybody looked at their answers; the busiest first.

    `cells` are by tenant, and provider and model are among `by`. No tenant counts for more than
    TENANT_OPINIONS_MAX, and where several ask a model, none for more than half of what the declared quality
    and all others together count for. So whatever one of them says moves the mean of opinions, and the share
    that fails, by a third at most where all others go and look.
    """
    askers: dict[CellKey, list[Evidence]] = defaultdict(list)
    requests: dict[CellKey, int] = defaultdict(int)
    for cell in grouped(cells, by, tenants=True):
        key = cell.key._replace(tenant_id=ANY)
        if key.provider and key.model and (cell.requests or cell.evidence.anything):
            askers[key].append(cell.evidence)
            requests[key] += cell.requests
    found = [
        (key, _fair_quality(evidence, declared.get((key.provider, key.model))))
        for key, evidence in askers.items()
        if any(each.anything for each in evidence)
    ]
    return sorted(found, key=lambda one: (-requests[one[0]], one[0]))


def _fair_quality(askers: Sequence[Evidence], declared: float | None) -> float:
    """Of each tenant's evidence, as far as it may count beside that of the others."""
    strength = UNDECLARED_STRENGTH if declared is None else PRIOR_STRENGTH
    opinions = _count_max([each.opinions for each in askers], strength)
    checks = _count_max([each.checked for each in askers], FAILING_PRIOR_STRENGTH)
    bounded = [_bounded(each, opinions, checks) for each in askers]
    return round(quality_of(_together(bounded), declared).value, 4)


def _count_max(numbers: Sequence[float], prior: float) -> float:
    """What each tenant may count for at most, beside a prior that counts for so much.

    Half of all the rest is a third of the whole. With those who say more held to a third of the whole each,
    the whole is what the rest counts for, times 3, divided by 3 less their number; that can be two at most.
    """
    if len(numbers) == 1:
        return TENANT_OPINIONS_MAX
    counted = sorted((min(TENANT_OPINIONS_MAX, number) for number in numbers), reverse=True)
    parts = (1 + TENANT_SHARE_MAX) / TENANT_SHARE_MAX
    rest = prior + sum(counted)
    for held, number in enumerate(counted):
        if number <= rest / (parts - held):
            return min(TENANT_OPINIONS_MAX, rest / (parts - held))
        rest -= number
    return rest / (parts - len(counted))


def compared(one: str, other: str, cells: Sequence[CellCounts]) -> list[Comparison]:
    """Two models, each by its name or as `provider/model`, at every task that both were asked."""
    mine, theirs = _by_task(one, cells), _by_task(other, cells)
    return [_comparison(task, one, mine[task], other, theirs[task]) for task in sorted(mine.keys() & theirs)]


def named(cell: CellCounts, name: str) -> bool:
    """Whether a cell is of the model that somebody names."""
    key = cell.key
    return name in (key.model, f"{key.provider}/{key.model}")


def _by_task(name: str, cells: Sequence[CellCounts]) -> dict[str, CellCounts]:
    tasks: dict[str, list[CellCounts]] = defaultdict(list)
    for cell in cells:
        if named(cell, name):
            tasks[cell.key.task].append(cell)
    return {task: summed(CellKey(ANY, name, task, ANY), group) for task, group in tasks.items()}


def _comparison(task: str, one: str, mine: CellCounts, other: str, theirs: CellCounts) -> Comparison:
    apart = difference(mine.evidence, theirs.evidence)
    failing = failing_difference(mine.evidence, theirs.evidence)
    better: str | None = None
    if apart is None:
        least = min(mine.evidence.opinions, theirs.evidence.opinions)
        why = f"not enough data: {least:g} of {OPINIONS_ENOUGH:g} opinions for one of them"
    elif apart.low > 0 or apart.high < 0:
        better = one if apart.low > 0 else other
        why = "the interval of the difference does not hold 0"
    else:
        why = "no difference is shown: its interval holds 0"
    return Comparison(task, mine, theirs, apart, failing, better, why)


def _both(one: Opinions, other: Opinions) -> Opinions:
    return Opinions(one.number + other.number, one.total + other.total)


def _bounded(evidence: Evidence, opinions_max: float, checks_max: float) -> Evidence:
    """The same in fewer numbers where there are too many; the shares stay."""
    opinions = min(1.0, opinions_max / evidence.opinions) if evidence.opinions else 1.0
    checks = min(1.0, checks_max / evidence.checked) if evidence.checked else 1.0
    return Evidence(
        _scaled(evidence.feedback, opinions),
        _scaled(evidence.judged, opinions),
        round(evidence.checked * checks),
        round(evidence.failed * checks),
    )


def _scaled(opinions: Opinions, by: float) -> Opinions:
    number = round(opinions.number * by)
    return Opinions(number, opinions.total * number / opinions.number if opinions.number else 0.0)


def _together(evidence: Sequence[Evidence]) -> Evidence:
    feedback = judged = Opinions()
    for each in evidence:
        feedback, judged = _both(feedback, each.feedback), _both(judged, each.judged)
    return Evidence(
        feedback,
        judged,
        sum(each.checked for each in evidence),
        sum(each.failed for each in evidence),
    )
