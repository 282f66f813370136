"""What the answer cache would do with a request, without sending anything."""

import asyncio
from typing import Final, NamedTuple

from application.cache_course import CacheCourse, Candidate
from application.caching.filing import Filed, filed, no_policy
from application.caching.gateway_embeddings import GatewayEmbeddings
from application.caching.nearest import NearestQuestions
from application.caching.tiers import AnswerTiers, Inspected
from application.demands import complete_requirements
from application.foresight import Foresight
from application.job import Attribution, Job
from application.places import NO_PLACES, Places
from application.ports.cache_reader import CacheReader
from application.ports.system import Clock
from application.runtime import Runtime
from domain.caching.effect import BYPASS, HIT_L1, HIT_L2, HIT_SEMANTIC, HIT_STALE, MISS, NO_CACHE, OBSERVE
from domain.caching.entry import CachedAnswer, Freshness, freshness
from domain.caching.key import Partition
from domain.caching.policy import CacheMode, CachePolicy
from domain.errors import StoreUnavailable
from domain.llm.request import LlmRequest
from domain.routing.plan import NO_PLAN
from domain.routing.requirements import Requirements
from domain.routing.table import RoutingTable
from domain.routing.target import Route
from domain.tenancy.principal import Principal
from domain.time import Deadline

SIMILAR_WITHIN_S: Final = 2.0


class KeptThere(NamedTuple):
    """An entry of one tier. Seconds from now; what is past its time may still stand in, as `state` says."""

    state: Freshness
    age_s: float
    fresh_for_s: float
    answer: CachedAnswer


class SimilarFound(NamedTuple):
    """What looking for similar questions comes to. `why` is one word for what kept it from an answer; empty:
    the candidate's answer would be served, or would be if the route served any."""

    why: str
    candidate: Candidate | None = None


class CacheExplanation(NamedTuple):
    """`effect` is in the words of usage rows. `why` is one word for why it takes no part, else empty.

    `would` is what a route that only observes would have done. None of the rest is there where the request
    takes no part; `similar` is None where nobody looks for similar questions.
    """

    route: str
    policy: CachePolicy
    effect: str
    why: str = ""
    would: str = ""
    key: bytes = b""
    partition: Partition | None = None
    l1: KeptThere | None = None
    l2: KeptThere | None = None
    l2_down: bool = False
    suspended: bool = False
    similar: SimilarFound | None = None


class ExplainCache:
    """Runs the same rules over the same snapshot and the same entries as a live request would."""

    def __init__(
        self,
        runtime: Runtime,
        reader: CacheReader,
        tiers: AnswerTiers,
        nearest: NearestQuestions | None,
        clock: Clock,
        privacy: Foresight | None = None,
        places: Places = NO_PLACES,
    ) -> None:
        self._places = places
        self._runtime = runtime
        self._reader = reader
        self._tiers = tiers
        self._nearest = nearest
        self._clock = clock
        self._privacy = privacy
        self._policy_version = no_policy if privacy is None else privacy.version

    async def __call__(
        self, by: Principal, request: LlmRequest, requirements: Requirements, attribution: Attribution
    ) -> CacheExplanation:
        """Asks no provider, so questions that a provider embeds are not compared. Raises UnknownModel."""
        table, _ = self._runtime.snapshot
        route = table.resolve(request.model, by.tenant_id)
        policy = route.cache
        if policy.mode is CacheMode.OFF:
            return CacheExplanation(route.name, policy, NO_CACHE)
        complete_requirements(requirements, request, by, self._places)
        job = self._job(by, request, requirements, attribution)
        if self._privacy is not None:
            await self._privacy.foresee(job, route)
        place = filed(job, table.members(route), self._reader, self._policy_version)
        if isinstance(place, str):
            return CacheExplanation(route.name, policy, BYPASS, place)
        inspected = await self._tiers.inspect(place.key)
        l1 = self._kept_there(inspected.l1, table, route, request)
        l2 = self._kept_there(inspected.l2, table, route, request)
        similar = await self._similar(job, self._course(job, place, table, route))
        would = _would(l1, l2, similar)
        effect, why = would, ""
        if not policy.mode.serves:
            effect = OBSERVE
        elif request.cache_wish.no_cache:
            effect, why = BYPASS, "no-cache"
        return self._told(CacheExplanation(
            route.name, policy, effect, why, would, place.key, place.partition, l1, l2, similar=similar
        ), inspected)  # fmt: skip

    def _told(self, explanation: CacheExplanation, inspected: Inspected) -> CacheExplanation:
        return explanation._replace(l2_down=inspected.down, suspended=self._tiers.suspended)

    def _job(
        self, by: Principal, request: LlmRequest, requirements: Requirements, attribution: Attribution
    ) -> Job:
        now = self._clock.monotonic()
        return Job(
            request_id="",
            principal=by,
            request=request,
            requirements=requirements,
            plan=NO_PLAN,
            attribution=attribution,
            started=now,
            started_at_us=self._now_us(),
            deadline=Deadline(now + SIMILAR_WITHIN_S),
        )

    def _course(self, job: Job, place: Filed, table: RoutingTable, route: Route) -> CacheCourse:
        return CacheCourse(
            table=table,
            route=route,
            policy=route.cache,
            wish=job.request.cache_wish,
            partition=place.partition,
            key=place.key,
            heard=self._tiers.heard,
        )

    def _kept_there(
        self, answer: CachedAnswer | None, table: RoutingTable, route: Route, request: LlmRequest
    ) -> KeptThere | None:
        """None, too, where its giver has left the route."""
        if answer is None:
            return None
        stand_ins = {target.id for target in route.stand_ins.values()}
        if answer.target_id not in table.by_id and answer.target_id not in stand_ins:
            return None
        now_us, policy = self._now_us(), route.cache
        state = freshness(
            answer,
            now_us,
            stale_s=policy.stale_s,
            stale_if_error_s=policy.stale_if_error_s,
            age_max_s=request.cache_wish.ttl_s,
        )
        if state is Freshness.OVER:
            return None
        return KeptThere(
            state, (now_us - answer.made_at_us) / 1e6, (answer.expires_at_us - now_us) / 1e6, answer
        )

    async def _similar(self, job: Job, course: CacheCourse) -> SimilarFound | None:
        if self._nearest is None or not course.policy.mode.looks_for_similar:
            return None
        if isinstance(self._nearest.embedders, GatewayEmbeddings):
            return SimilarFound("provider_embeds")
        looking = self._nearest.aside()
        try:
            async with asyncio.timeout(SIMILAR_WITHIN_S):
                candidate = await looking.nearest(job, course)
        except TimeoutError:
            return SimilarFound("too_slow")
        except StoreUnavailable:
            return SimilarFound("unavailable")
        # It counts in one word what became of its one look-up.
        why = next(iter(looking.counts), "")
        if candidate is not None and (candidate.served or candidate.would_serve):
            why = ""
        return SimilarFound(why.removeprefix("exact_only: "), candidate)

    def _now_us(self) -> int:
        return int(self._clock.utc_now().timestamp() * 1e6)


def _would(l1: KeptThere | None, l2: KeptThere | None, similar: SimilarFound | None) -> str:
    for there, hit in ((l1, HIT_L1), (l2, HIT_L2)):
        if there is not None and there.state is Freshness.FRESH:
            return hit
        if there is not None and there.state is Freshness.STALE:
            return HIT_STALE
    return HIT_SEMANTIC if similar is not None and similar.candidate and not similar.why else MISS
