"""The nearest earlier question that a request's answer may be taken from, and whether it may."""

from collections import Counter
from collections.abc import Sequence
from copy import copy
from typing import Final

from application.cache_course import CacheCourse, Candidate, Place
from application.caching.gateway_embeddings import Embedders
from application.caching.tiers import AnswerTiers
from application.caching.verified_book import VerifiedBook
from application.job import Job
from application.ports.cache_reader import CacheReader
from application.ports.system import Clock
from application.ports.vector_index import Neighbour, VectorIndex
from domain.caching.entry import CachedAnswer, Freshness, freshness
from domain.caching.guards import why_not_similar
from domain.caching.key import WHOLE, Partition, question_partition
from domain.caching.policy import CacheMode
from domain.caching.verified import candidate_similarity

NEIGHBOURS: Final = 4
"""How many of the nearest are looked at: the nearest may be over, invalidated, or told apart by a guard."""


class NearestQuestions:
    """Waits for the embedder, the index and the second tier; callers bound the time."""

    def __init__(
        self,
        *,
        embedders: Embedders,
        embedder_id: str,
        index: VectorIndex,
        book: VerifiedBook,
        tiers: AnswerTiers,
        reader: CacheReader,
        clock: Clock,
    ) -> None:
        self.embedders = embedders
        self.embedder_id = embedder_id
        self.index = index
        self.book = book
        self.tiers = tiers
        self.clock = clock
        self.counts: Counter[str] = Counter()
        """Look-ups by what became of them, and what was left out of learning."""
        self._reader = reader
        self.only_asking = False
        """Whether questions are not counted as asked."""

    def aside(self) -> "NearestQuestions":
        """The same, with counts of its own: for whoever only asks what would be found."""
        other = copy(self)
        other.counts = Counter()
        other.only_asking = True
        return other

    async def nearest(self, job: Job, course: CacheCourse) -> Candidate | None:
        place = await self.placed(job, course)
        if place is None:
            return None
        if not self.only_asking:
            self.book.looked((job.principal.tenant_id, course.route.name))
        now_us = self.now_us()
        found = await self.index.search(
            place.partition,
            place.vector,
            limit=NEIGHBOURS,
            similarity_min=candidate_similarity(course.policy),
            now_us=now_us,
        )
        kept = [
            (neighbour, entry)
            for neighbour in found
            if neighbour.key != course.key
            and (entry := await self._entry(neighbour, course, now_us)) is not None
        ]
        if not kept:
            self.counts["nothing_near"] += 1
            return None
        return await self._judged(job, course, place, kept)

    async def placed(self, job: Job, course: CacheCourse) -> Place | None:
        """The question's place; None where similar ones must not be looked for."""
        if course.place is not None:
            return course.place
        question = self._reader.question(job.request)
        if question is None:
            self.counts["no_question"] += 1
            return None
        course.question = question.text
        why = why_not_similar(question.text, question.exchanges, course.policy)
        embedder = self.embedders.for_job(job)
        if not why and embedder.count_tokens(question.text) > embedder.tokens_max:
            why = "too_long"
        if why:
            self.counts[f"exact_only: {why}"] += 1
            return None
        (vector,) = await embedder.embed([question.text])
        partition = question_partition(course.partition, question.context, self.embedder_id)
        course.place = Place(partition, vector, question.text)
        return course.place

    async def _entry(self, neighbour: Neighbour, course: CacheCourse, now_us: int) -> CachedAnswer | None:
        """The neighbour's answer, if it is there, still counts, and is fresh."""
        entry = self.tiers.at_hand(neighbour.key) or await self.tiers.fetch(neighbour.key)
        if entry is None or not entry.question or not _within_walls(entry, course.partition):
            return None
        state = freshness(entry, now_us, stale_s=0.0, stale_if_error_s=0.0, age_max_s=course.wish.ttl_s)
        return entry if state is Freshness.FRESH else None

    async def _judged(
        self,
        job: Job,
        course: CacheCourse,
        place: Place,
        found: Sequence[tuple[Neighbour, CachedAnswer]],
    ) -> Candidate:
        """The best of them, with whether its answer is served."""
        tenant_id, policy = job.principal.tenant_id, course.policy
        first: Candidate | None = None
        for neighbour, entry in found:
            similarity = neighbour.similarity
            reading = self.book.judge(
                (tenant_id, course.route.name),
                policy,
                new=place.text,
                kept=entry.question,
                similarity=similarity,
                margin=_margin(entry, similarity, found),
                only_asking=self.only_asking,
            )
            if policy.mode is CacheMode.THRESHOLD:
                # Served whatever was read; it was read so that audits can say how often that is wrong.
                served = Candidate(entry, similarity, reading.features, reading.guarded, served=True)
                return served._replace(would_serve=True, p_low=reading.p_low, reason="similarity")
            serve = reading.serve and policy.mode is CacheMode.VERIFIED
            candidate = Candidate(
                entry,
                similarity,
                reading.features,
                reading.guarded,
                serve,
                reading.serve,
                reading.p_low,
                reading.reason,
            )
            if reading.serve:
                return candidate
            if not reading.guarded and (first is None or first.guarded):
                first = candidate
            first = first or candidate
        assert first is not None, "it is called with at least one"
        self.counts["guarded" if first.guarded else "unsure"] += 1
        return first

    def now_us(self) -> int:
        return int(self.clock.utc_now().timestamp() * 1e6)


def _within_walls(entry: CachedAnswer, wall: Partition) -> bool:
    """What an index says about whom a key belongs to came from outside, where nothing seals it."""
    return (
        entry.tenant_id == wall.tenant_id
        and entry.route == wall.route
        and entry.namespace == wall.namespace
        and entry.dialect == wall.dialect
        and entry.streamed == (wall.form != WHOLE)
    )


def _margin(
    entry: CachedAnswer, similarity: float, found: Sequence[tuple[Neighbour, CachedAnswer]]
) -> float | None:
    """How much nearer it is than the nearest with another answer; None: there is no other."""
    others = [neighbour.similarity for neighbour, each in found if each.text != entry.text]
    return None if not others else similarity - max(others)
