"""Which conversation a request continues, and where it was answered: the memory behind affinity.

Everything a request asks is answered from memory. What was learned is written behind in groups, and what
other instances learned is read in the background; the store being away costs sharing, not answers.
"""

from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b

from application.credentials import other_account
from application.job import Job
from application.ports.affinity import AffinityRow, AffinityStore
from application.ports.system import Clock
from domain.analytics.event import AttemptEvent
from domain.llm.prompt_marks import MARK
from domain.llm.request import LlmRequest, Operation
from domain.routing.conversation import KEPT, MOVED, Conversation, Place, placed
from domain.routing.live import LiveState
from domain.routing.prompt_cache import LONG_TTL_S
from domain.routing.ranking import Recall
from domain.routing.target import Route, Target

CONVERSATIONS_MAX = 20_000
"""Conversations kept in memory; the longest unused goes first."""
UNSAVED_MAX = 10_000
"""Places waiting to be written; when the store is away for long, the oldest are given up."""
ROWS_PER_SAVE = 2_000
ROWS_PER_LOOK = 5_000
STORED_ROWS_MAX = 200_000
KEPT_S = 6 * 3600.0
"""How long a conversation is remembered after its last use; no prompt cache is known to live longer."""
STORED_TOKENS_MIN = 256
"""Shorter prompts are in no cache; they stay in memory only."""
REASON_CHARS_MAX = 300


class AffinityBook:
    """Remembers conversations of all tenants; every key contains its tenant."""

    def __init__(
        self,
        store: AffinityStore,
        fingerprint: Callable[[LlmRequest], bytes],
        clock: Clock,
        *,
        conversations_max: int = CONVERSATIONS_MAX,
    ) -> None:
        self._store = store
        self._fingerprint = fingerprint
        self._clock = clock
        self._conversations_max = conversations_max
        self._places: OrderedDict[bytes, tuple[Place, ...]] = OrderedDict()
        self._unsaved: OrderedDict[tuple[bytes, str], AffinityRow] = OrderedDict()
        self._revision = 0

    def recall(
        self, tenant_id: str, route_name: str, session_id: str, request: LlmRequest, *, marked: bool = False
    ) -> Conversation | None:
        """The conversation that a request continues; None for what is no conversation.

        `marked`: its route marks prompts for providers' caches, whatever the body says. It is known by the
        session the caller names, else by what the body says of it (`RequestReader.fingerprint`).
        """
        if request.operation is not Operation.CHAT:
            return None
        identity = session_id.encode("utf-8", "surrogatepass") or self._fingerprint(request)
        if not identity:
            return None
        told = b"s" if session_id else b"b"
        names = f"{tenant_id}\0{route_name}\0".encode("utf-8", "surrogatepass")
        key = blake2b(names + told + identity, digest_size=16).digest()
        places = self._places.get(key, ())
        return Conversation(key, places, marked or MARK in request.body, self._now_us())

    def answered(self, job: Job, live: LiveState) -> None:
        """Takes what the answer of a job tells: where the conversation is now, and what was cached there."""
        target, conversation = job.answered_by, job.conversation
        if target is None or conversation is None or not job.attempts:
            return
        attempt = job.attempts[-1]
        if attempt.outcome != "ok":
            return
        before = next((p for p in conversation.places if p.target_id == target.id), None)
        if not attempt.estimated:
            self._learn(live, target, conversation, before, attempt)
        written = attempt.cache_write_tokens + attempt.cache_write_long_tokens
        place = Place(
            target.id,
            attempt.credential,
            attempt.input_tokens,
            attempt.cached_read_tokens + written,
            attempt.cache_write_long_tokens > 0 or (before is not None and before.long and not written),
            self._now_us(),
        )
        places = self._put(conversation.key, place)
        if place.prefix_tokens >= STORED_TOKENS_MIN:
            self._unsaved[conversation.key, target.id] = AffinityRow(
                conversation.key, job.principal.tenant_id, places[0]
            )
            self._unsaved.move_to_end((conversation.key, target.id))
            if len(self._unsaved) > UNSAVED_MAX:
                self._unsaved.popitem(last=False)

    def _learn(
        self,
        live: LiveState,
        target: Target,
        conversation: Conversation,
        before: Place | None,
        attempt: AttemptEvent,
    ) -> None:
        habit, state = target.prompt_cache, live.of(target.id)
        if before is None or state is None or (habit.by_mark and not conversation.marked):
            return
        expected = min(before.cached_tokens if habit.by_mark else before.prefix_tokens, attempt.input_tokens)
        ttl_s = habit.long_ttl_s if before.long else habit.ttl_s
        # Beyond its time to live an empty cache says nothing about the provider.
        if expected >= habit.tokens_min and conversation.now_us - before.used_at_us <= ttl_s * 1e6:
            state.caching.observe(attempt.cached_read_tokens / expected)

    def _put(self, key: bytes, place: Place) -> tuple[Place, ...]:
        places = self._places[key] = placed(self._places.get(key, ()), place, keep_s=LONG_TTL_S)
        self._places.move_to_end(key)
        if len(self._places) > self._conversations_max:
            self._places.popitem(last=False)
        return places

    async def refresh(self) -> None:
        """Writes what waits and reads what others wrote. Raises StoreUnavailable; nothing is lost then."""
        waiting = list(self._unsaved.items())[:ROWS_PER_SAVE]
        if waiting:
            await self._store.save([row for _, row in waiting])
            for at, row in waiting:
                if self._unsaved.get(at) is row:
                    del self._unsaved[at]
        changes = await self._store.changes(self._revision, limit=ROWS_PER_LOOK)
        self._revision = changes.revision
        for row in changes.rows:
            known = self._places.get(row.key, ())
            if not any(place == row.place for place in known):
                self._put(row.key, row.place)

    async def load(self) -> None:
        """Reads everything kept by this and other instances, as far as it fits. Raises StoreUnavailable."""
        while True:
            before = self._revision
            await self.refresh()
            if self._revision == before:
                return

    async def forget_old(self) -> None:
        """Drops what no cache can still hold. Raises StoreUnavailable."""
        before_us = self._now_us() - int(KEPT_S * 1e6)
        await self._store.forget(before_us=before_us, keep_max=STORED_ROWS_MAX)

    def _now_us(self) -> int:
        return int(self._clock.utc_now().timestamp() * 1e6)


def recalling(book: AffinityBook | None, job: Job, route: Route) -> Recall | None:
    """How to find the conversation that a job continues; None where affinity has no say."""
    if book is None or not route.affinity.enabled or not job.requirements.affinity:
        return None

    def recall() -> Conversation | None:
        # Arms of an experiment know nothing of each other's conversations.
        place = f"{route.name}\0{job.arm_memory}" if job.arm_memory else route.name
        job.conversation = book.recall(
            job.principal.tenant_id,
            place,
            job.attribution.session_id,
            job.request,
            marked=route.prompt_caching.marks,
        )
        return job.conversation

    return recall


def explain_outcome(job: Job) -> None:
    """Puts into the job what became of its conversation and, in one line, why this target answered."""
    plan, target = job.plan, job.answered_by
    if plan.verdict is not None:
        job.affinity, job.reason = plan.verdict.outcome, plan.verdict.reason[:REASON_CHARS_MAX]
    elif plan.targets:
        job.reason = f"{plan.targets[0].id}: first of {plan.candidates} by {plan.strategy}"
    if target is None or not plan.targets or target.id == plan.targets[0].id:
        return
    failed = next((attempt for attempt in job.attempts if attempt.outcome != "ok"), None)
    why = "could not be asked" if failed is None else f"failed ({failed.outcome})"
    job.reason = f"{target.id}: {plan.targets[0].id} {why}"
    if job.conversation is not None and job.conversation.places:
        stayed = job.conversation.places[0].target_id == target.id
        job.affinity = KEPT if stayed else MOVED


def moved_from(job: Job, target: Target, credential: str = "") -> str:
    """The target of another account that answered this conversation earlier; empty: there was none."""
    if job.conversation is None:
        return ""
    for place in job.conversation.places:
        if place.provider != target.provider or other_account(job, target, place.credential, credential):
            return place.target_id
    return ""
