"""Keeping a request to its privacy policy, before anything of it leaves."""

from collections.abc import Awaitable
from dataclasses import replace
from functools import partial
from threading import Event
from typing import Final, NamedTuple

from application.inspection import Inspector
from application.job import Job
from application.places import NO_PLACES, Places
from application.ports.pii_detector import PiiDetector
from application.ports.system import Clock
from application.ports.text_fields import TextFields
from application.ports.wire import OPENAI_RESPONSES, TOOLS, RequestReader
from application.privacy.counting import PrivacyCounts
from application.privacy.offloading import Offloading, is_quick
from application.privacy.policies import PolicyBook
from application.privacy.protecting import CountedAnswer, EnforcedAnswer, enforced
from application.privacy.recent import Caller, RecentValues
from application.privacy.rewriting import PolicyWork
from application.privacy.watching import DetectionWatch, Seen
from application.tenant_book import TenantBook
from domain.errors import PiiBlocked
from domain.llm.request import LlmRequest, Operation
from domain.privacy.placeholders import Placeholders, tenant_key
from domain.privacy.policy import EffectivePolicy, RouteDemand, Where
from domain.routing.requirements import Requirements
from domain.routing.table import region_of
from domain.routing.target import Route, Target, tagged

_KEYS_MAX: Final = 10_000
_OF_CLIENTS: Final = frozenset(
    {"user-agent", "accept", "accept-language", "accept-charset", "anthropic-beta", "openai-beta"}
    | {"anthropic-version", "x-goog-api-client", "cache-control", "pragma", "priority"}
)
_OF_CLIENTS_PREFIXES: Final = ("x-stainless-",)
"""Headers that name programs and their versions, which look like addresses of machines."""


class Rewritten(NamedTuple):
    """A request as its policy lets it go on."""

    body: bytes
    elsewhere: bytes | None
    headers: tuple[tuple[str, str], ...]
    work: PolicyWork


class PrivacyInspector(Inspector):
    """Where a policy only counts, a request waits for nothing; where one enforces, nothing goes on unread."""

    def __init__(
        self,
        *,
        policies: PolicyBook,
        tenants: TenantBook,
        texts: TextFields,
        detector: PiiDetector,
        reader: RequestReader,
        secret: bytes,
        clock: Clock,
        places: Places = NO_PLACES,
    ) -> None:
        """`secret` is the installation's, for placeholders; equal in all of its processes."""
        self.policies = policies
        self.tenants = tenants
        self.texts = texts
        self.detector = detector
        self.counts = PrivacyCounts()
        self.watch = DetectionWatch(texts, detector, self.counts, clock)
        self._reader = reader
        self._secret = secret
        self._places = places
        self.offloading = Offloading()
        self.recent = RecentValues()
        self._keys: dict[str, bytes] = {}

    def version(self, tenant_id: str, route: Route) -> str:
        """Names the rules that hold for a tenant's requests to a route. Raises PrivacyUnavailable."""
        return self.effective(tenant_id, route).digest

    def effective(self, tenant_id: str, route: Route) -> EffectivePolicy:
        """Those rules. Raises PrivacyUnavailable."""
        tenant = self.tenants.known(tenant_id)
        return self.policies.effective(route.privacy, "" if tenant is None else tenant.privacy)

    def request(self, job: Job, route: Route) -> Awaitable[None] | None:
        policy = self.effective(job.principal.tenant_id, route)
        request = job.request
        if not policy.enforces:
            if policy.detects and self.watch.has_room():
                self.watch.note(Seen(policy, request.dialect, request.body, request.content_type, False))
                if not request.stream and request.operation is not Operation.EMBEDDINGS:
                    job.protections.append(CountedAnswer(self.watch, policy, request.dialect))
            return None
        elsewhere = None if request.home is None else request.home.elsewhere
        if not is_quick(request.body) or (elsewhere is not None and not is_quick(elsewhere)):
            return self._beside(job, route, policy)
        self._settle(job, route, policy, self.offloading.at_once(lambda: self.rewritten(job, policy)))
        return None

    async def _beside(self, job: Job, route: Route, policy: EffectivePolicy) -> None:
        self._settle(job, route, policy, await self._read_beside(job, policy))

    async def _read_beside(self, job: Job, policy: EffectivePolicy) -> Rewritten:
        home, bodies = job.request.home, job.request.body
        if home is not None and home.elsewhere is not None:
            bodies += home.elsewhere
        work = partial(self.rewritten, job, policy)
        return await self.offloading(job.principal.tenant_id, bodies, work)

    def rewritten(self, job: Job, policy: EffectivePolicy, nobody_waits: Event | None = None) -> Rewritten:
        """The request's bodies as the policy has them; changes nothing."""
        request = job.request
        work = PolicyWork(policy, self.detector, self.placeholders(job.principal.tenant_id))
        work.nobody_waits = nobody_waits
        body = self.texts.request(request.dialect, request.body, request.content_type, work)
        elsewhere = None if request.home is None else request.home.elsewhere
        if elsewhere is not None:
            elsewhere = self.texts.request(request.dialect, elsewhere, request.content_type, work)
        return Rewritten(body, elsewhere, _read_headers(request.headers, work), work)

    def refuse_unread(self, job: Job, route: Route) -> None:
        """For bytes that pass through without being read. Raises PiiBlocked where a policy or a guardrail
        would have to read them."""
        policy = self.effective(job.principal.tenant_id, route)
        if policy.enforces or enforced(job):
            raise PiiBlocked(
                f"what is streamed or uploaded cannot be read for personal data, which the privacy policy "
                f"{policy.name!r} or a guardrail demands; use a tool whose result is one object",
                details={"policy": policy.name},
            )

    def dry_work(self, tenant_id: str, policy: EffectivePolicy) -> PolicyWork:
        """What would be done, for whoever asks."""
        return PolicyWork(policy, self.detector, self.placeholders(tenant_id), dry=True)

    async def foresee(self, job: Job, route: Route) -> None:
        """Makes the request what a provider would see of it, for whoever asks what would become of it.

        Raises PiiBlocked, PrivacyUnavailable.
        """
        policy = self.effective(job.principal.tenant_id, route)
        if policy.enforces_requests:
            made = await self._read_beside(job, policy)
            made.work.refuse()
            if made.body is not job.request.body:
                self._replace(job.request, made.body)
            job.request.headers = made.headers

    def close(self) -> None:
        """Ends what runs beside requests. Idempotent."""
        self.watch.close()
        self.offloading.close()

    def _settle(self, job: Job, route: Route, policy: EffectivePolicy, made: Rewritten) -> None:
        """Puts the rewritten request in the place of the caller's, or refuses it."""
        work, request = made.work, job.request
        found: dict[str, int] = {}
        job.privacy = found
        self.counts.note(work.noted, found)
        work.refuse()
        if work.routed:
            _demand(job.requirements, route, tuple(work.demands), policy, self._places)
            # Nobody but those it may go to gets to see it, so no store keeps it either.
            job.may_store = False
            request.cache_wish = request.cache_wish._replace(no_store=True, no_cache=True)
            job.may_store = False
        if made.body is not request.body:
            self._replace(request, made.body)
        request.headers = made.headers
        if request.home is not None and made.elsewhere is not request.home.elsewhere:
            request.home = replace(request.home, elsewhere=made.elsewhere)
        if request.dialect == OPENAI_RESPONSES:
            who, by = job.attribution, job.principal
            caller = Caller(by.tenant_id, by.key_id, who.user_id, who.session_id)
            # Whoever begins anew gets back what it sent, however it came by the names of other values.
            goes_on = bool(request.previous_response_id) or request.home is not None
            self.recent.give_back(caller, work.placeholders, job.started, None if goes_on else made.body)
            self.recent.keep(caller, work.placeholders, job.started)
        of_tool = request.dialect == TOOLS
        answers = policy.enforces_results if of_tool else policy.enforces_answers
        if answers or work.placeholders.values:
            job.protections.append(
                self.answering(job.principal.tenant_id, request.dialect, policy, work.placeholders, found)
            )

    def placeholders(self, tenant_id: str) -> Placeholders:
        """None yet, of a tenant."""
        return Placeholders(self._key(tenant_id))

    def answering(
        self,
        tenant_id: str,
        dialect: str,
        policy: EffectivePolicy,
        placeholders: Placeholders,
        found: dict[str, int] | None = None,
    ) -> EnforcedAnswer:
        """What a policy does to one answer, and who gets which values back. `found` is told what it did."""
        return EnforcedAnswer(
            dialect,
            policy,
            placeholders,
            texts=self.texts,
            work=PolicyWork(policy, self.detector, placeholders, answer=True),
            counts=self.counts,
            offloading=self.offloading,
            tenant_id=tenant_id,
            found=found,
        )

    def _replace(self, request: LlmRequest, body: bytes) -> None:
        """Another body, and everything that was read out of the first one for what it says."""
        read = self._reader.read(request.dialect, body, request.content_type)
        request.body = read.body
        request.fields = read.fields
        request.contents = read.contents
        request.media_bytes = read.media_bytes
        request.media_parts = read.media_parts
        request.units = read.units

    def _key(self, tenant_id: str) -> bytes:
        key = self._keys.get(tenant_id)
        if key is None:
            if len(self._keys) >= _KEYS_MAX:
                self._keys.clear()
            key = self._keys[tenant_id] = tenant_key(self._secret, tenant_id)
        return key


def _read_headers(headers: tuple[tuple[str, str], ...], work: PolicyWork) -> tuple[tuple[str, str], ...]:
    """The caller's own headers that a provider of its family gets; what clients say of themselves aside."""
    return tuple(
        (name, value)
        if name in _OF_CLIENTS or name.startswith(_OF_CLIENTS_PREFIXES)
        else (name, work.whole(value, Where.PROMPTS, f"headers.{name}", f"{name}: "))
        for name, value in headers
    )


def _demand(
    requirements: Requirements,
    route: Route,
    demands: tuple[RouteDemand, ...],
    policy: EffectivePolicy,
    places: Places,
) -> None:
    """Lets only targets answer that every demand names, by ways that are where they may be. Raises PiiBlocked
    where the route has none."""
    where = places.atlas.residency(each.residency for each in demands)
    able = [
        member.target
        for member in route.targets
        if where.allows(region_of(member.target)) and all(_meets(member.target, each) for each in demands)
    ]
    if not able:
        raise PiiBlocked(
            f"it holds personal data that the privacy policy {policy.name!r} sends to named targets only, "
            f"and the route {route.name!r} has none of them",
            details={"policy": policy.name, "route": route.name},
        )
    allowed = frozenset(target.id for target in able)
    if not places.sinks.gateway.allowed(where):
        requirements.without_gateway = True
    asked = requirements.only_among
    requirements.only_among = allowed if asked is None else asked & allowed


def _meets(target: Target, demand: RouteDemand) -> bool:
    if demand.providers and target.provider not in demand.providers:
        return False
    return all(tagged(target, tag) for tag in demand.tags)
