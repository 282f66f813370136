"""What is said and found of answers, in memory."""

from collections.abc import Sequence

from application.ports.quality import (
    CHECKS,
    CellFilter,
    FeedbackFilter,
    FeedbackPlace,
    Observation,
    QualityStore,
)
from domain.errors import StoreUnavailable
from domain.quality.cells import ANY, CellCounts, CellKey, summed
from domain.quality.feedback import Feedback
from domain.quality.scores import Opinions


class InMemoryQualityStore(QualityStore):
    """For tests. `reachable = False` makes it unreachable. It counts no requests: those are of usage rows."""

    def __init__(self) -> None:
        self.reachable = True
        self.given: dict[tuple[str, str, str, str], Feedback] = {}
        self.observations: dict[tuple[str, str, str], Observation] = {}

    async def give(self, feedback: Feedback) -> bool:
        self._check()
        key = (feedback.tenant_id, feedback.request_id, feedback.key_id, feedback.source)
        first = key not in self.given
        self.given[key] = feedback
        return first

    async def feedback(self, where: FeedbackFilter, *, limit: int) -> list[Feedback]:
        self._check()
        found = [each for each in self.given.values() if _meant(each, where)]
        return sorted(found, key=_place, reverse=True)[:limit]

    async def note(self, observations: Sequence[Observation]) -> None:
        self._check()
        for each in observations:
            self.observations[each.tenant_id, each.request_id, each.source] = each

    async def cells(self, where: CellFilter, *, tenants: bool = False) -> list[CellCounts]:
        self._check()
        found: dict[CellKey, list[CellCounts]] = {}
        for given in self.given.values():
            if _counts(given, where, given.given_at_us):
                key, score = _key(given, tenants), given.verdict.score
                one = Opinions() if score is None else Opinions(1, score)
                found.setdefault(key, []).append(CellCounts(key, one, labels=int(score is None)))
        for seen in self.observations.values():
            if _counts(seen, where, seen.observed_at_us):
                key = _key(seen, tenants)
                found.setdefault(key, []).append(_observed(key, seen))
        return [summed(key, cells) for key, cells in sorted(found.items())]

    async def purge(self, before_us: int) -> int:
        self._check()
        said = [key for key, each in self.given.items() if each.given_at_us < before_us]
        seen = [key for key, each in self.observations.items() if each.observed_at_us < before_us]
        for key in said:
            del self.given[key]
        for place in seen:
            del self.observations[place]
        return len(said) + len(seen)

    def _check(self) -> None:
        if not self.reachable:
            raise StoreUnavailable("quality cannot be read or kept", retry_after_s=1.0)


def _place(given: Feedback) -> FeedbackPlace:
    return FeedbackPlace(given.given_at_us, given.request_id, given.key_id, given.source)


def _key(each: Feedback | Observation, tenants: bool) -> CellKey:
    return CellKey(each.provider, each.model, each.task, each.route, each.tenant_id if tenants else ANY)


def _observed(key: CellKey, seen: Observation) -> CellCounts:
    if seen.source != CHECKS:
        return CellCounts(key, judged=Opinions() if seen.score is None else Opinions(1, seen.score))
    return CellCounts(
        key,
        checked=1,
        failed=int(seen.failed),
        refusals_found=int(seen.refused),
        json_found_broken=int(seen.json_broken),
    )


def _counts(each: Feedback | Observation, where: CellFilter, at_us: int) -> bool:
    wanted = {
        "tenant_id": where.tenant_id,
        "provider": where.provider,
        "task": where.task,
        "route": where.route,
    }
    return (
        bool(each.provider)
        and all(getattr(each, name) == value for name, value in wanted.items() if value is not None)
        and (not where.models or each.model in where.models)
        and where.from_us <= at_us
        and (where.to_us is None or at_us < where.to_us)
    )


def _meant(given: Feedback, where: FeedbackFilter) -> bool:
    names = ("tenant_id", "request_id", "key_id", "source", "provider", "model", "task", "route")
    if any(getattr(where, name) not in (None, getattr(given, name)) for name in names):
        return False
    score, at_us = given.verdict.score, given.given_at_us
    return (
        where.kind in (None, given.verdict.kind)
        and (where.score_min is None or (score is not None and score >= where.score_min))
        and (where.score_max is None or (score is not None and score <= where.score_max))
        and (where.from_us is None or at_us >= where.from_us)
        and (where.to_us is None or at_us < where.to_us)
        and (where.after is None or _place(given) < where.after)
    )
