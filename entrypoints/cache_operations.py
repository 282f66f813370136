"""Puts together what operators see and do about the answer cache, from ports alone."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from application.foresight import Foresight
from application.places import Places
from application.ports.cache_reader import CacheReader
from application.ports.system import Clock
from application.ports.telemetry import Gauge
from application.ports.usage_query import UsageQuery
from application.ports.warm_lines import WarmLines
from application.ports.wire import RequestReader
from application.runtime import Runtime
from application.use_cases.answer_llm_request import AnswerLlmRequest
from application.use_cases.explain_cache import ExplainCache
from application.use_cases.explain_route import ExplainRoute
from application.use_cases.manage_cache import CacheFigures, Counted, ManageCache
from application.use_cases.report_cache_usage import ReportCacheUsage
from application.use_cases.report_prompt_caching import ReportPromptCaching
from application.use_cases.report_verified_reuse import ReportVerifiedReuse
from application.use_cases.warm_cache import WarmCache
from entrypoints.cache_gauges import ROUTES_SHOWN_MAX, reuse_gauges, shared_gauges, tier_gauges
from entrypoints.caching import Caching

LOOK_EVERY_S: Final = 15.0


@dataclass(slots=True)
class _Seen:
    figures: CacheFigures | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheOperations:
    """What the routes call."""

    manage: ManageCache
    explain: ExplainCache
    warm: WarmCache
    verified: ReportVerifiedReuse | None
    """None: no questions are compared."""
    usage: ReportCacheUsage
    prompt: ReportPromptCaching
    caching: Caching
    seen: _Seen = field(default_factory=_Seen)

    @property
    def problems(self) -> tuple[str, ...]:
        """What an operator should see to, in words; nothing while nothing is to be cached."""
        if not self.caching.opened:
            return ()
        store = None if self.seen.figures is None else self.seen.figures.store
        return (*self.caching.problems, *(() if store is None else store.problems))

    async def look(self) -> None:
        """Asks the second tier and the index how they are, for `gauges`, which must not wait."""
        if self.caching.opened:
            self.seen.figures = await self.manage.figures()

    def gauges(self) -> Iterable[Gauge]:
        """For the metrics page; none while nothing is to be cached."""
        if not self.caching.opened:
            return
        yield from tier_gauges(self.caching)
        if self.seen.figures is not None:
            yield from shared_gauges(self.seen.figures.store, self.seen.figures.vectors)
        if self.verified is not None:
            yield from reuse_gauges(self.verified.most_audited(ROUTES_SHOWN_MAX))


def make_cache_operations(
    *,
    caching: Caching,
    runtime: Runtime,
    pipeline: AnswerLlmRequest,
    explain_route: ExplainRoute,
    reader: RequestReader,
    cache_reader: CacheReader,
    lines: WarmLines,
    usage: UsageQuery,
    clock: Clock,
    places: Places,
    privacy: Foresight,
) -> CacheOperations:
    """Everything around kept answers."""
    similar = caching.similar
    nearest = None if similar is None else similar.nearest

    def counted() -> Counted:
        return Counted(dict(caching.cache.outcomes), dict(caching.beside.counts), caching.opened)

    return CacheOperations(
        manage=ManageCache(runtime, caching.tiers, nearest, clock, counted),
        explain=ExplainCache(runtime, cache_reader, caching.tiers, nearest, clock, privacy, places),
        warm=WarmCache(
            runtime=runtime,
            pipeline=pipeline,
            explain=explain_route,
            reader=reader,
            cache_reader=cache_reader,
            lines=lines,
            tiers=caching.tiers,
            similar=similar,
            clock=clock,
            places=places,
            privacy=privacy,
        ),
        verified=None if nearest is None else ReportVerifiedReuse(runtime, nearest.book, caching.beside),
        usage=ReportCacheUsage(usage, clock),
        prompt=ReportPromptCaching(usage, runtime, clock),
        caching=caching,
    )
