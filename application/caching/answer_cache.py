"""Earlier answers in the way of requests: look, share a running call, keep.

Exact answers come first (`AnswerTiers`), then those to similar questions (`SimilarAnswers`), then a provider.
A failure of anything here is a miss. What is served was allowed by every wall of its key, by its age, and by
everything this instance has heard was invalidated.
"""

import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol, TypeVar

from application.answer_stream import AnswerStream
from application.cache_course import CacheCourse
from application.caching.filing import PolicyVersion, filed, no_policy
from application.caching.joining import saved_by, takes_after
from application.caching.keeping import Given, given_answer, given_stream, kept
from application.caching.replay import ReplayedStream, replayed_answer, retelling
from application.caching.shared_call import SharedCall, SharedReader
from application.caching.shared_calls import SharedCalls, shares
from application.caching.similar import SimilarAnswers
from application.caching.tape import Tape, again
from application.caching.tiers import AnswerTiers
from application.job import Job
from application.ports.cache_reader import CacheReader
from application.ports.llm import UpstreamAnswer
from application.ports.system import Clock
from application.ports.wire import FrameWriter
from domain.caching.effect import (
    BYPASS,
    HIT_COALESCED,
    HIT_L1,
    HIT_L2,
    HIT_SEMANTIC,
    HIT_STALE,
    MISS,
    OBSERVE,
)
from domain.caching.entry import CachedAnswer, Freshness, freshness
from domain.caching.policy import CacheMode
from domain.errors import DeadlineExceeded, NoProviderAvailable, UpstreamError
from domain.residency.place import ANYWHERE
from domain.residency.sinks import Sink
from domain.routing.table import Members, RoutingTable

log = logging.getLogger("interchange")

Fetched = TypeVar("Fetched")
Ask = Callable[[], Awaitable[UpstreamAnswer]]
Open = Callable[[], Awaitable[AnswerStream]]


class Beside(Protocol):
    """Runs a request again beside its caller's, to refresh what is kept."""

    def refresh(self, job: Job) -> None: ...


class AnswerCache:
    """`look` when a request begins, then `complete` or `open` in place of the attempt loop."""

    def __init__(
        self,
        *,
        tiers: AnswerTiers,
        reader: CacheReader,
        frames: FrameWriter,
        clock: Clock,
        similar: SimilarAnswers | None = None,
        sinks: tuple[Sink, ...] = (),
    ) -> None:
        """`sinks` are where answers and vectors are kept."""
        self.tiers = tiers
        self.similar = similar
        self.beside: Beside | None = None
        self._reader = reader
        self._frames = frames
        self._clock = clock
        self.policy_version: PolicyVersion = no_policy
        """Answers made under other privacy rules are never served."""
        self._sinks = sinks
        self.shared = SharedCalls(
            clock,
            quiet_since=lambda tenant_id, heard: self.tiers.quiet_since(tenant_id, heard),
            serve=self._serve_too,
        )
        self.outcomes: Counter[str] = Counter()
        """How often each outcome happened, and under `not kept: …` why answers were not kept."""

    # When a request begins

    def look(self, job: Job, members: Members, table: RoutingTable, *, beside: str = "") -> None:
        """Decides whether a request takes part, and answers it from the first tier where that can be done.

        `job.course.hit` is set then. Never waits, never raises.
        """
        if members.route.cache.mode is CacheMode.OFF:
            return
        try:
            self._look(job, members, table, beside)
        except Exception:
            # A defect in what only saves money must refuse nobody.
            log.exception("the cache could not look at a request")
            self.outcomes["failed"] += 1
            if job.course is None:
                job.cache = BYPASS

    def _look(self, job: Job, members: Members, table: RoutingTable, beside: str) -> None:
        route = members.route
        policy = route.cache
        if job.residency is not ANYWHERE and not all(sink.allowed(job.residency) for sink in self._sinks):
            job.cache = BYPASS
            self.outcomes["not here: residency"] += 1
            return
        place = filed(job, members, self._reader, self.policy_version)
        if isinstance(place, str):
            job.cache = BYPASS
            return
        course = job.course = CacheCourse(
            table=table,
            route=route,
            policy=policy,
            wish=job.request.cache_wish,
            partition=place.partition,
            key=place.key,
            heard=self.tiers.heard,
            beside=beside,
        )
        if beside:
            job.cache = beside
        elif not policy.mode.serves:
            job.cache = OBSERVE
            course.earlier = self._would_hit(course)
        elif course.wish.no_cache:
            job.cache = BYPASS
        else:
            job.cache = MISS
            kept = self.tiers.at_hand(course.key)
            if kept is not None:
                self._consider(job, course, kept, HIT_L1)

    def _would_hit(self, course: CacheCourse) -> CachedAnswer | None:
        """What would have been served at once."""
        earlier = self.tiers.at_hand(course.key)
        return earlier if earlier is not None and earlier.expires_at_us > self._now_us() else None

    def _consider(self, job: Job, course: CacheCourse, kept: CachedAnswer, outcome: str) -> bool:
        """Serves a kept answer if its age allows it, or remembers it as a stand-in where only that is."""
        policy = course.policy
        found = freshness(
            kept,
            self._now_us(),
            stale_s=policy.stale_s,
            stale_if_error_s=policy.stale_if_error_s,
            age_max_s=course.wish.ttl_s,
        )
        if found is Freshness.OVER:
            return False
        if found is Freshness.FOR_ERRORS:
            course.stand_in = kept
            return False
        if not self._serve(job, course, kept, outcome if found is Freshness.FRESH else HIT_STALE):
            return False
        if found is Freshness.STALE and self.beside is not None:
            self.beside.refresh(job)
        return True

    def _serve(self, job: Job, course: CacheCourse, kept: CachedAnswer, outcome: str) -> bool:
        """Whether its giver is still one of the route's, which its name is needed for."""
        target = course.table.by_id.get(kept.target_id)
        if target is None:
            stand_ins = course.route.stand_ins.values()
            target = next((each for each in stand_ins if each.id == kept.target_id), None)
        if target is None:
            return False
        course.hit = kept
        job.answered_by, job.via = target, kept.via
        job.finish_reason, job.dropped = kept.finish_reason, kept.dropped
        job.saved_nano_usd = kept.cost_nano_usd
        job.reused_tokens = kept.input_tokens, kept.output_tokens
        job.cache = outcome
        self.outcomes[outcome] += 1
        return True

    # In place of the attempt loop

    async def complete(self, job: Job, ask: Ask) -> UpstreamAnswer:
        """A whole answer, kept or fresh. Raises as `ask` does."""
        course = job.course
        assert course is not None
        if course.hit is None and not shares(course):
            # In the caller's own task: when it is cancelled, everything has been noted by the time it ends.
            answer = await self._answer(job, course, ask)
            if answer is not None:
                return answer
        elif course.hit is None:
            call = await self.shared.call(job, course, lambda call: self._ask(call, ask))
            call.leave(job)
            if call.answer is not None:
                return call.answer if call.job is job else self._joined(job, call, call.answer)
        assert course.hit is not None, "a call that is ready has an answer, a hit, a tape or an error"
        return replayed_answer(course.hit)

    async def open(self, job: Job, opening: Open) -> AnswerStream:
        """A stream that has begun, or a kept one. Raises as `opening` does."""
        course = job.course
        assert course is not None
        if course.hit is None:
            call = await self.shared.call(job, course, lambda call: self._open(call, opening))
            if call.tape is not None:
                return self._reader_of(job, call)
            call.leave(job)
        assert course.hit is not None, "a call that is ready has an answer, a hit, a tape or an error"
        job.first_token_s = self._clock.monotonic() - job.started
        return ReplayedStream(course.hit, self._frames, job)

    async def _ask(self, call: SharedCall, ask: Ask) -> None:
        """The work of a whole answer: finds or fetches it, and keeps what it fetched."""
        job, course = call.job, call.course
        try:
            call.answer = await self._answer(job, course, ask)
        finally:
            self.shared.no_longer(call)
        call.hit, call.tier = course.hit, job.cache
        call.ready.set()

    async def _answer(self, job: Job, course: CacheCourse, ask: Ask) -> UpstreamAnswer | None:
        """A fresh answer, kept; None: something kept was found and put into the course."""
        if await self._found(job, course):
            return None
        answer = await self._fresh(job, course, ask)
        if answer is not None:
            self._keep(job, course, partial(given_answer, self._reader, job, answer))
        return answer

    async def _open(self, call: SharedCall, opening: Open) -> None:
        """The work of a stream: finds it, or records it for all who wait."""
        job, course = call.job, call.course
        stream: AnswerStream | None = None
        try:
            if not await self._found(job, course):
                stream = await self._fresh(job, course, opening)
            if stream is not None:
                call.tape = Tape(stream.headers, course.policy.entry_bytes_max)
                call.ready.set()
                await self._record(stream, call.tape)
                if call.tape.whole:
                    self._keep(job, course, partial(given_stream, call.tape.blocks))
                else:
                    self._not_kept(course, "too_large")
        finally:
            if stream is not None:
                stream.close()
            self.shared.no_longer(call)
        if call.tape is not None:
            call.tape.end()
        else:
            call.hit, call.tier = course.hit, job.cache
            call.ready.set()

    @staticmethod
    async def _record(stream: AnswerStream, tape: Tape) -> None:
        while (block := await stream.next_block()) is not None:
            tape.add(block)
            await tape.wait_for_room()
        stream.close()

    async def _found(self, job: Job, course: CacheCourse) -> bool:
        """Whether the second tier or a similar question answers it."""
        if not course.reads:
            return False
        since = self._clock.monotonic()
        try:
            return await self._look_further(job, course)
        except Exception:
            # As above: nobody goes without an answer because of it.
            log.exception("the cache could not look further for an answer")
            self.outcomes["failed"] += 1
            return False
        finally:
            now = self._clock.monotonic()
            job.cache_s += now - since
            job.cache_further = (since, now)

    async def _look_further(self, job: Job, course: CacheCourse) -> bool:
        kept_there = await self.tiers.fetch(course.key)
        if kept_there is not None and self._consider(job, course, kept_there, HIT_L2):
            return True
        if self.similar is None or not course.policy.mode.looks_for_similar:
            return False
        similar = await self.similar.find(job, course)
        return similar is not None and self._serve(job, course, similar, HIT_SEMANTIC)

    async def _fresh(
        self, job: Job, course: CacheCourse, fetch: Callable[[], Awaitable[Fetched]]
    ) -> Fetched | None:
        """What a provider answers; None: nobody can, and an answer past its time stands in."""
        try:
            if course.unplanned is not None:
                raise again(course.unplanned)
            return await fetch()
        except (UpstreamError, NoProviderAvailable, DeadlineExceeded):
            stand_in = course.stand_in
            # Much may have been invalidated while providers were tried.
            if stand_in is None or not self.tiers.still_counts(stand_in):
                raise
            if not self._serve(job, course, stand_in, HIT_STALE):
                raise
            return None

    def _keep(self, job: Job, course: CacheCourse, give: Callable[[], Given]) -> None:
        """Never raises: an answer that was paid for is given, whatever becomes of keeping it."""
        since = self._clock.monotonic()
        try:
            self._try_to_keep(job, course, give())
        except Exception:
            log.exception("an answer could not be kept")
            self._not_kept(course, "failed")
        finally:
            if not course.unkept:
                job.cache_write = (since, self._clock.monotonic())

    def _try_to_keep(self, job: Job, course: CacheCourse, given: Given) -> None:
        if job.cache in (MISS, BYPASS):
            self.outcomes[job.cache] += 1
        if not course.question:
            question = self._reader.question(job.request)
            course.question = "" if question is None else question.text
        entry = kept(job, course, given, self._now_us())
        if isinstance(entry, str):
            self._not_kept(course, entry)
            return
        if self.similar is not None and course.policy.mode.looks_for_similar:
            self.similar.answered(job, course, entry)
        if not self.tiers.keep(entry):
            course.unkept = "not_allowed"

    def _not_kept(self, course: CacheCourse, why: str) -> None:
        course.unkept = why
        self.outcomes[f"not kept: {why}"] += 1

    # Those who wait for somebody else's call

    def _joined(self, job: Job, call: SharedCall, answer: UpstreamAnswer) -> UpstreamAnswer:
        takes_after(job, call)
        self.outcomes[HIT_COALESCED] += 1
        saved_by(job, call)
        return answer._replace(headers=(), usage=None)

    def _reader_of(self, job: Job, call: SharedCall) -> SharedReader:
        if call.job is job:
            return SharedReader(call, job)
        takes_after(job, call)
        self.outcomes[HIT_COALESCED] += 1
        job.first_token_s = self._clock.monotonic() - job.started
        return SharedReader(
            call,
            job,
            retold=partial(retelling, self._frames, job),
            at_end=partial(saved_by, job, call),
            clock=self._clock,
        )

    def _serve_too(self, job: Job, call: SharedCall, kept: CachedAnswer) -> bool:
        """Serves what another one found."""
        course = job.course
        if course is None or not self._serve(job, course, kept, call.tier):
            return False
        if call.tier == HIT_SEMANTIC and self.similar is not None and call.course.candidate is not None:
            self.similar.served(job, course, call.course.candidate)
        return True

    def _now_us(self) -> int:
        return int(self._clock.utc_now().timestamp() * 1e6)

    async def aclose(self) -> None:
        """Ends whatever still runs, so that it is settled and recorded."""
        await self.shared.aclose()
