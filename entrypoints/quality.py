"""Puts together what finds out how good answers are, from ports alone."""

import random
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Final

from application.caching.pipeline import Pipeline
from application.ports.asked_schemas import AskedSchemas
from application.ports.cache_reader import CacheReader
from application.ports.guardrail import SchemaReader
from application.ports.quality import QualityStore
from application.ports.request_rows import RequestRows
from application.ports.system import Clock
from application.ports.telemetry import Gauge
from application.ports.turns import TurnReader
from application.ports.wire import RequestReader
from application.privacy.inspecting import PrivacyInspector
from application.quality.judging import AnswerScorer
from application.quality.observing import AnswerObserver, QualityInspector
from application.runtime import Runtime
from application.use_cases.check_privacy import AskedPrivacy, CheckPrivacy
from application.use_cases.give_feedback import GiveFeedback, ReadFeedback
from application.use_cases.report_quality import FollowQuality, ReportQuality
from domain.tenancy.principal import Principal
from entrypoints.background import BackgroundTasks, every, in_any_case
from entrypoints.settings import Settings

PURGE_EVERY_S: Final = 6 * 3600.0
COMMENT_POLICY: Final = "redact"
"""What is done to comments, whatever a route's policy is; a tenant's own can only add to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityStores:
    """`everyones` is for work that concerns all tenants; the others go as far as whoever asks reaches."""

    everyones: QualityStore
    changed: QualityStore
    shown: QualityStore
    requests: RequestRows


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What answers and requests are read with."""

    requests: RequestReader
    answers: CacheReader
    turns: TurnReader
    asked: AskedSchemas
    schemas: SchemaReader


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """What the pipeline, the routes and the lifespan use."""

    inspector: QualityInspector
    give: GiveFeedback
    read: ReadFeedback
    report: ReportQuality
    follow: FollowQuality
    refresh_every_s: float

    def gauges(self) -> Iterable[Gauge]:
        """For the metrics page."""
        observer = self.inspector.observer
        yield Gauge(
            "interchange_quality_score",
            "What quality to expect of a model's answers, 0 to 1: feedback, judges and checks of the last "
            "days, shrunk to the declared quality; no tenant decides alone. Only where somebody looked.",
            tuple(
                (
                    (("provider", key.provider), ("model", key.model), ("task", key.task)),
                    score,
                )
                for key, score in self.follow.scores
            ),
        )
        yield Gauge(
            "interchange_quality_answers_waiting",
            "Answers of the sample that are not looked at yet.",
            (((), observer.waiting),),
        )
        yield Gauge(
            "interchange_quality_answers_total",
            "Answers of the sample, by what became of looking at them.",
            tuple(((("result", what),), number) for what, number in sorted(observer.counts.items())),
            "counter",
        )
        yield Gauge(
            "interchange_quality_judged_total",
            "Answers that a judge was to score, by what became of it.",
            tuple(((("result", what),), number) for what, number in sorted(observer.scorer.counts.items())),
            "counter",
        )

    def start(self, stack: AsyncExitStack, tasks: BackgroundTasks, pipeline: Pipeline) -> None:
        """Works beside the requests until the tasks end; the stack writes what is left. A judge's requests go
        to `pipeline`."""
        observer = self.inspector.observer
        observer.scorer.attach(pipeline)
        stack.push_async_callback(in_any_case, observer.flush)
        tasks.start("answer checks", observer.run)
        tasks.start("answer judge", observer.judge)
        tasks.start("answer findings", observer.write)
        tasks.start("quality", lambda: every(self.refresh_every_s, self.follow.look))
        tasks.start("quality retention", partial(every, PURGE_EVERY_S, self.follow.purge))


def make_quality(
    settings: Settings,
    stores: QualityStores,
    reading: Reading,
    privacy: PrivacyInspector,
    flush: Callable[[], Awaitable[None]],
    runtime: Runtime,
    clock: Clock,
    chance: random.Random,
) -> Quality:
    """`flush` writes usage rows that wait, so that feedback on a fresh answer finds its request."""
    check = CheckPrivacy(privacy, runtime)

    async def redact(by: Principal, comment: str) -> str | None:
        verdict = await check.check(by, AskedPrivacy(text=comment, policy=COMMENT_POLICY))
        return verdict.text if verdict.allowed else None

    observer = AnswerObserver(
        stores.everyones,
        reading.answers,
        reading.asked,
        reading.schemas,
        AnswerScorer(reading.requests, reading.answers, reading.turns, clock),
        clock,
    )
    return Quality(
        inspector=QualityInspector(observer, chance),
        give=GiveFeedback(stores.changed, stores.requests, flush, redact, clock),
        read=ReadFeedback(stores.shown),
        report=ReportQuality(stores.shown, runtime, clock),
        follow=FollowQuality(
            stores.everyones,
            runtime,
            clock,
            window_days=settings.quality.window_days,
            retention_days=settings.quality.retention_days,
        ),
        refresh_every_s=settings.quality.refresh_s,
    )
