"""Answers to similar questions: found, judged and served in the way of a request; kept and learned beside it.

In the way of a request it takes at most `find_timeout_s`, and whatever fails is a miss. Everything else waits
in a bounded queue for `run`: vectors of new answers, comparisons of answers, what others tell.
"""

import asyncio
import logging
import random
from collections import deque
from typing import Final, NamedTuple

from application.cache_course import CacheCourse, Candidate
from application.caching.beside import BesideCalls
from application.caching.hearing import Hearing
from application.caching.nearest import NearestQuestions
from application.caching.similar_records import LABEL, VECTOR, ToldLabel, ToldVector, label_data, vector_data
from application.caching.told_questions import ToldQuestions
from application.job import Job
from application.ports.answer_judge import AnswerJudge, Comparison
from application.ports.keepsakes import Keepsakes
from application.ports.vector_index import IndexedVector
from domain.caching.entry import NOWHERE, CachedAnswer
from domain.caching.policy import CacheMode
from domain.errors import StoreUnavailable

log = logging.getLogger("interchange")

FIND_TIMEOUT_S: Final = 0.25
WAITING_MAX: Final = 4096
WAITING_BYTES_MAX: Final = 32 * 1024 * 1024
"""Requests and answers that wait to be learned from."""
JUDGE_TIMEOUT_S: Final = 30.0


class _ToKeep(NamedTuple):
    """`watched`: what would have been served is found out and counted before it is kept."""

    job: Job
    course: CacheCourse
    entry: CachedAnswer
    candidate: Candidate | None
    watched: bool

    @property
    def size_bytes(self) -> int:
        return self.job.request.size_bytes + self.entry.size_bytes


class SimilarAnswers:
    """Belongs to one event loop; `load` once, then `run` until the end."""

    def __init__(
        self,
        nearest: NearestQuestions,
        *,
        judge: AnswerJudge,
        hearing: Hearing,
        invalidations: Hearing,
        beside: BesideCalls,
        chance: random.Random,
        keepsakes: Keepsakes | None = None,
        index_is_shared: bool = False,
        find_timeout_s: float = FIND_TIMEOUT_S,
    ) -> None:
        """`hearing` is of the log of questions, `invalidations` of that of rules, which must not be crowded
        out by it."""
        self.nearest = nearest
        self.told = ToldQuestions(nearest, hearing, invalidations, index_is_shared=index_is_shared)
        self._judge = judge
        self._hearing = hearing
        self._beside = beside
        self._chance = chance
        self._keepsakes = keepsakes
        self._find_timeout_s = find_timeout_s
        self._waiting: deque[_ToKeep] = deque()
        self._waiting_bytes = 0

    # In the way of a request

    async def find(self, job: Job, course: CacheCourse) -> CachedAnswer | None:
        """An answer to a similar question that may be served; None: there is none, or not in time."""
        try:
            async with asyncio.timeout(self._find_timeout_s):
                candidate = await self.nearest.nearest(job, course)
        except TimeoutError:
            self.nearest.counts["too_slow"] += 1
            return None
        except StoreUnavailable:
            self.nearest.counts["unavailable"] += 1
            return None
        if candidate is None:
            return None
        course.candidate = candidate
        if not candidate.served:
            return None
        self.served(job, course, candidate)
        return candidate.kept

    def served(self, job: Job, course: CacheCourse, candidate: Candidate) -> None:
        """Counts a hit, which may be audited."""
        job.similarity = candidate.similarity
        self.nearest.counts["served"] += 1
        self.nearest.book.served((job.principal.tenant_id, course.route.name))
        if self._chance.random() < course.policy.audit_share:
            self._beside.audit(job, candidate)

    # Beside requests

    def answered(self, job: Job, course: CacheCourse, entry: CachedAnswer) -> None:
        """Takes a fresh answer that was kept: its question may be found from now on, and what was near it is
        compared. Never waits."""
        if not entry.text:
            return
        watched = course.policy.mode is CacheMode.OBSERVE and not course.beside
        one = _ToKeep(job, course, entry, course.candidate, watched)
        if len(self._waiting) >= WAITING_MAX or self._waiting_bytes + one.size_bytes > WAITING_BYTES_MAX:
            self.nearest.counts["left out: too many wait"] += 1
            return
        self._waiting.append(one)
        self._waiting_bytes += one.size_bytes
        self.told.news.set()

    async def run(self) -> None:
        """Keeps vectors, compares answers and carries out what others told, until cancelled."""
        news = self.told.news
        while True:
            await news.wait()
            news.clear()
            await self.work_off()

    async def work_off(self) -> None:
        """Everything that waits now; what fails is counted and left out."""
        while self._waiting or self.told.waiting:
            try:
                await self.told.work()
                if self._waiting:
                    one = self._waiting.popleft()
                    self._waiting_bytes -= one.size_bytes
                    await self._learn(one)
            except StoreUnavailable as error:
                self.nearest.counts["left out: unavailable"] += 1
                log.warning("similar questions: %s", error.message)

    async def _learn(self, one: _ToKeep) -> None:
        job, course, entry = one.job, one.course, one.entry
        candidate = one.candidate
        if one.watched:
            candidate = await self._watch(job, course)
        place = await self.nearest.placed(job, course)
        if place is None:
            return
        vector = IndexedVector(place.partition, entry.key, place.vector, entry.kept_until_us, entry.tenant_id)
        if self.told.forgotten(vector, entry.heard.number):
            await self.told.take_out(entry)
        else:
            await self.nearest.index.add([vector])
            told = ToldVector(self.nearest.embedder_id, vector, entry.heard.number)
            self._hearing.tell(VECTOR, vector_data(told))
        if candidate is not None and candidate.features and candidate.kept.text:
            await self._compare(job, course, candidate, entry)

    async def _watch(self, job: Job, course: CacheCourse) -> Candidate | None:
        """What `verified` would have answered from, counted for the forecast."""
        subject = job.principal.tenant_id, course.route.name
        if course.earlier is not None:
            self.nearest.book.would_have_served(subject, course.earlier.cost_nano_usd, exact=True)
            return None
        candidate = await self.nearest.nearest(job, course)
        if candidate is not None and candidate.would_serve:
            self.nearest.book.would_have_served(subject, candidate.kept.cost_nano_usd, exact=False)
        return candidate

    async def _compare(
        self, job: Job, course: CacheCourse, candidate: Candidate, fresh: CachedAnswer
    ) -> None:
        """Learns whether the candidate's answer is worth as much as the fresh one."""
        compared = Comparison(
            job.principal,
            job.requirements,
            course.route.name,
            course.policy.shadow_usd_per_day,
            fresh.question,
            candidate.kept.question,
            fresh.text,
            candidate.kept.text,
        )
        try:
            async with asyncio.timeout(JUDGE_TIMEOUT_S):
                same = await self._judge.same(compared)
        except TimeoutError:
            same = None
        if same is None:
            self.nearest.counts["left out: nobody could judge"] += 1
            if candidate.would_serve:
                self.nearest.book.unjudged((compared.asker.tenant_id, compared.route))
            return
        label = ToldLabel(
            self.nearest.embedder_id,
            compared.asker.tenant_id,
            compared.route,
            candidate.features,
            same,
            candidate.would_serve,
        )
        self.told.learn(label)
        self._hearing.tell(LABEL, label_data(label))

    # A process's life

    async def load(self) -> None:
        """Takes up what an earlier process knew; what it did not is heard anew."""
        try:
            saved = None if self._keepsakes is None else await self._keepsakes.load()
        except StoreUnavailable as error:
            log.warning("similar questions of an earlier process cannot be taken up: %s", error.message)
            return
        if saved is not None:
            self.told.taken_up, learned = saved
            self.nearest.book.take_up(learned)

    async def upkeep(self) -> None:
        """Forgets what is over, and saves the rest. Raises StoreUnavailable."""
        await self.nearest.index.upkeep(self.nearest.now_us())
        await self._save()

    async def aclose(self) -> None:
        """Saves what is known, and closes the index."""
        try:
            await self._save()
        except StoreUnavailable as error:
            log.warning("similar questions were not saved: %s", error.message)
        await self.nearest.index.aclose()

    async def _save(self) -> None:
        heard = self._hearing.position
        if self._keepsakes is not None and heard != NOWHERE:
            await self._keepsakes.save(heard, self.nearest.book.learned())
