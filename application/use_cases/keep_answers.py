"""Finding out what a request refers to before it is planned, and remembering what answers it got.

Both sides of one promise: an id that came out of an answer means the same when it comes back, to the same
tenant and to nobody else.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace

from application.answer_memory import AnswerMemory
from application.holds import charge_in_background
from application.job import Job
from application.ports.answer_reading import AnswerReading, References, SeenAnswer
from application.ports.stored_answers import OpenBill, StoredAnswer
from application.ports.wire import OPENAI_RESPONSES
from domain.budgets.posting import written
from domain.catalog.tags import RESPONSES_TAG
from domain.errors import InvalidRequest, PreviousResponseNotFound, StoreUnavailable
from domain.llm.request import Home, LlmRequest
from domain.routing.target import Target
from domain.tenancy.principal import Principal

LEFT_OUT_REASONING = "input.reasoning"
"""How reasoning is named that whoever answers could not have read."""
KEPT_BYTES_MAX = 4 * 1024 * 1024
"""A longer exchange is not kept by Interchange: its answer cannot be fetched or continued here."""


class KeepAnswers:
    """`resolve` before a request begins, `remember` for what its answer says.

    `retention_s` is how long it is known which account keeps an answer.
    """

    def __init__(self, memory: AnswerMemory, reading: AnswerReading, *, retention_s: float) -> None:
        self._memory = memory
        self._retention_s = retention_s
        self.reading = reading

    async def resolve(self, principal: Principal, request: LlmRequest) -> None:
        """Notes in the request where it is at home; spells out what Interchange itself keeps.

        Everything that sends a request on behalf of a tenant asks this first, batches included: an account
        at a provider serves all tenants and would continue the answer of any. Other dialects name none.

        Raises:
            PreviousResponseNotFound, InvalidRequest: it names what this tenant never got.
            StoreUnavailable: that cannot be told now.
        """
        if request.dialect != OPENAI_RESPONSES:
            return
        named = self.reading.references(request.body)
        if named.conversation:
            raise InvalidRequest(
                "conversation: conversations are not kept here; continue with previous_response_id",
                param="conversation",
            )
        previous = request.previous_response_id
        ids = (*named.items, *named.reasoning, *named.sealed)
        if not previous and not ids:
            return
        tenant_id = principal.tenant_id
        try:
            known = await self._memory.find(tenant_id, ids) if ids else {}
        except StoreUnavailable:
            if previous or named.items or named.reasoning:
                raise
            return  # who encrypted it is a preference; its maker will say if it was somebody else
        for item_id in named.items:
            if item_id not in known:
                raise InvalidRequest(f"Item with id '{item_id}' not found.", param="input")
        entry = await self._previous(tenant_id, previous) if previous else None
        strict = [known[one] for one in (*named.items, *named.reasoning) if one in known]
        sealed = [known[one] for one in named.sealed if one in known]
        keepers = [entry] if entry is not None and entry.native else strict or sealed
        home = _home_of(keepers[-1]) if keepers else None
        _without_strangers(self.reading, request, named, known, home)
        request.home = self._spelt_out(request, home, entry, strict, {one.id for one in sealed})

    async def _previous(self, tenant_id: str, previous: str) -> StoredAnswer:
        entry = (await self._memory.find(tenant_id, [previous], again=True)).get(previous)
        if entry is None or not (entry.native or entry.content):
            raise PreviousResponseNotFound(previous)
        return entry

    def _spelt_out(
        self,
        request: LlmRequest,
        home: Home | None,
        entry: StoredAnswer | None,
        strict: Sequence[StoredAnswer],
        sealed: Collection[str],
    ) -> Home | None:
        """The home with a body for others, where there can be one; what only Interchange keeps goes into the
        request itself."""
        content = entry.content if entry is not None else None
        spelt_out = request.body if content is None else self.reading.expanded(request.body, content)
        if content is not None and entry is not None and not entry.native:
            request.body = spelt_out
            request.fields = request.fields - {"previous_response_id"} | {"input"}
            request.contents = self.reading.contents(spelt_out, request.fields)
            request.previous_response_id = ""
        else:
            request.continues = content
        if home is None or strict or (request.previous_response_id and content is None):
            return home
        holds = self.reading.contents(spelt_out, request.fields - {"previous_response_id"})
        if not sealed:
            return replace(home, elsewhere=spelt_out, contents=holds)
        without = self.reading.without(spelt_out, sealed)
        return replace(home, elsewhere=without, dropped=(LEFT_OUT_REASONING,), contents=holds)

    def remember(self, job: Job, seen: SeenAnswer) -> None:
        """Knows the answer from now on. Never waits."""
        target, request = job.answered_by, job.request
        if target is None or not seen.id or (job.course is not None and job.course.hit is not None):
            return  # of an answer that is given again, everything was noted when it was made
        native = answers_natively(target)
        own_s = own_retention_s(job)
        now_us = self._memory.now_us()
        tenant_id, key_id = job.principal.tenant_id, job.principal.key_id

        def entry(one: str, keeps: bool, retention_s: float) -> StoredAnswer:
            return StoredAnswer(
                tenant_id, one, key_id, target.id, target.provider, job.credential, keeps, now_us,
                now_us + int(retention_s * 1e6), route=job.plan.route.name,
                user_id=job.attribution.user_id,
            )  # fmt: skip

        entries: list[StoredAnswer] = []
        kept_there = native and seen.kept
        if kept_there or own_s is not None:
            answer = entry(seen.id, kept_there, self._retention_s if own_s is None else own_s)
            if own_s is not None and seen.finished:
                content = self.reading.content(request.body, request.continues, seen.body)
                answer = answer._replace(content=content if len(content) <= KEPT_BYTES_MAX else None)
            if request.background and not (seen.finished and seen.usage is not None):
                answer = answer._replace(open_bill=_open_bill(job))
            if answer.native or answer.content is not None:
                entries.append(answer)
        if native and seen.finished:
            named = (*seen.items, *seen.sealed) if seen.kept else seen.sealed
            entries += [entry(one, True, self._retention_s) for one in named]
        if entries:
            self._memory.keep(entries)


def answers_natively(target: Target) -> bool:
    """Whether a target's provider answers in its own words, so that ids in them mean something there."""
    return RESPONSES_TAG in target.tags or RESPONSES_TAG in target.offering.tags


def own_retention_s(job: Job) -> float | None:
    """How long Interchange itself keeps this answer; None when it does not."""
    if job.request.store is False or job.request.background or not job.may_store:
        return None
    return job.plan.route.answers_kept_s


def _home_of(entry: StoredAnswer) -> Home:
    return Home(target_id=entry.target_id, provider=entry.provider, credential=entry.credential)


def _same_account(home: Home, entry: StoredAnswer) -> bool:
    return home.provider == entry.provider and home.credential == entry.credential


def _without_strangers(
    reading: AnswerReading,
    request: LlmRequest,
    named: References,
    known: dict[str, StoredAnswer],
    home: Home | None,
) -> None:
    """Takes reasoning out that nobody who may answer could have made.

    An id without content that is not this tenant's own must never reach an account that serves others too;
    what a second account encrypted would be refused by the first.
    """
    strange = {one for one in named.reasoning if one not in known}
    if home is not None:
        strange |= {one for one in named.sealed if one in known and not _same_account(home, known[one])}
    if strange:
        request.body = reading.without(request.body, strange)
        request.left_out = (LEFT_OUT_REASONING,)


def _open_bill(job: Job) -> OpenBill:
    who, by = job.attribution, job.principal
    charge = charge_in_background(job)
    return OpenBill(
        job.request_id,
        job.request.model,
        job.plan.route.name,
        who.agent_id,
        who.user_id,
        who.session_id,
        who.workflow_id,
        who.client_request_id,
        who.metadata,
        job.request.service_tier,
        by.team,
        by.project,
        by.cost_center,
        "" if charge is None else charge.attempt_id,
        "" if charge is None else written(charge),
    )
