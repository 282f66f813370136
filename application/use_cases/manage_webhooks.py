"""Webhook endpoints through the API: made, changed, paused, tried out; their deliveries looked at and sent
again. What the file declares is the file's; its deliveries are everybody's who may see the tenant's."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Final, NamedTuple

from application.events.writing import epoch_us
from application.ports.event_log import LoggedEvent
from application.ports.outbox import Outbox
from application.ports.system import Clock, IdFactory
from application.ports.webhooks import DeliveryLog, EndpointStore, LoggedAttempt
from application.webhooks.address import check_url, origin_of
from application.webhooks.secrets import OVERLAP_S, OVERLAP_S_MAX, EndpointSecrets, Sending
from application.webhooks.telling import sample_event
from domain.errors import (
    Conflict,
    CredentialDamaged,
    InvalidConfiguration,
    InvalidRequest,
    NotFound,
    OwnedByFile,
    StoreUnavailable,
)
from domain.events import WEBHOOK_TEST
from domain.tenancy.key_rules import named_tenant
from domain.tenancy.principal import Principal
from domain.vault.secret import SecretText
from domain.webhooks.delivery import Delivery, DeliveryState, parse_delivery_id
from domain.webhooks.endpoint import ENDPOINTS_PER_TENANT_MAX, Endpoint, EndpointState, EndpointTerms
from domain.webhooks.envelope import event_id
from domain.webhooks.format import ROUTING_KEY_LENGTH_MAX, WebhookFormat, shown_url
from domain.webhooks.health import WELL

READ: Final = "webhooks.read"
OPERATE: Final = "webhooks.operate"
WRITE: Final = "webhooks.write"
REPLAYED_AT_ONCE: Final = 500
REOPENED_TRIES_MAX: Final = 10
REPLAYED_MAX: Final = 50_000
"""Events looked at by one call; who wants more goes on from where it ended."""


class WebhookKeeping(NamedTuple):
    """What the running configuration knows of webhooks."""

    declared_in: Callable[[str], str | None]
    """Where the file declares this endpoint, such as `interchange.yaml:12`."""
    http_allowed: bool
    changed: Callable[[], Awaitable[None]]
    """Told after a change, so that this instance follows at once; the others do within a second."""


class Opened(NamedTuple):
    """A delivery with its event, as long as that is kept, and its attempts in order."""

    delivery: Delivery
    event: LoggedEvent | None
    attempts: list[LoggedAttempt]


class Replayed(NamedTuple):
    """`more_from_us`: not everything was looked at; go on from there."""

    deliveries: int
    more_from_us: int | None


class ManageWebhooks:
    """Within the caller's tenant; those who manage tenants may name another. For everybody else another
    tenant's endpoints do not exist."""

    def __init__(
        self,
        endpoints: EndpointStore,
        log: DeliveryLog,
        outbox: Outbox,
        secrets: EndpointSecrets,
        clock: Clock,
        ids: IdFactory,
        keeping: WebhookKeeping,
    ) -> None:
        self._endpoints = endpoints
        self._log = log
        self._outbox = outbox
        self._secrets = secrets
        self._clock = clock
        self._ids = ids
        self._keeping = keeping

    async def all(self, by: Principal, tenant_id: str | None = None) -> list[Endpoint]:
        """Those of the file first, then by age. Raises Forbidden, StoreUnavailable."""
        found = await self._endpoints.all(named_tenant(by, tenant_id, READ))
        return sorted(found, key=lambda each: (not each.declared, each.created_at_us, each.endpoint_id))

    async def one(self, by: Principal, endpoint_id: str, tenant_id: str | None = None) -> Endpoint:
        """Raises NotFound, Forbidden, StoreUnavailable."""
        return await self._found(named_tenant(by, tenant_id, READ), endpoint_id)

    def declared_in(self, endpoint: Endpoint) -> str | None:
        """Where the file declares it."""
        return self._keeping.declared_in(endpoint.endpoint_id) if endpoint.declared else None

    async def create(
        self, by: Principal, terms: EndpointTerms, routing_key: str = "", tenant_id: str | None = None
    ) -> tuple[Endpoint, SecretText]:
        """With the secret that signs, which is shown this once.

        Raises InvalidConfiguration, Forbidden, Conflict (too many), CredentialDamaged, VaultLocked,
        StoreUnavailable.
        """
        wanted = named_tenant(by, tenant_id, WRITE)
        check_url(terms.url, http_allowed=self._keeping.http_allowed)
        terms, sending = private_of(terms, routing_key)
        check_routing_key(terms, sending.routing_key)
        now_us = self._now_us()
        endpoint = Endpoint(
            endpoint_id=self._ids.next("wh"),
            tenant_id=wanted,
            terms=terms,
            created_at_us=now_us,
            updated_at_us=now_us,
        )
        if len(await self._made(wanted)) >= ENDPOINTS_PER_TENANT_MAX:
            raise _too_many()
        secret = await self._secrets.make(wanted, endpoint.endpoint_id, by.key_id, sending)
        try:
            await self._endpoints.add(endpoint, endpoints_max=ENDPOINTS_PER_TENANT_MAX)
        except BaseException:
            # Nobody learns the secret, so nothing of it may stay; the endpoint can be there after all, where
            # only the answer to the commit was lost or not waited for.
            with suppress(StoreUnavailable, CredentialDamaged):
                await self._endpoints.remove(wanted, endpoint.endpoint_id)
                await self._secrets.remove(endpoint)
            raise
        await self._tell()
        return endpoint, secret

    async def change(
        self,
        by: Principal,
        endpoint_id: str,
        terms: EndpointTerms,
        routing_key: str = "",
        tenant_id: str | None = None,
    ) -> Endpoint:
        """From the next delivery on. What is secret and not given stays as long as its format and its host
        do: a routing key goes nowhere that it was not given for.

        Raises as `create`, and NotFound, OwnedByFile.
        """
        old = await self._writable(named_tenant(by, tenant_id, WRITE), endpoint_id)
        check_url(terms.url, http_allowed=self._keeping.http_allowed)
        if {terms.format, old.terms.format} != {WebhookFormat.STANDARD} or routing_key:
            given = terms.url
            terms, sending = private_of(terms, routing_key)
            if terms.format is old.terms.format:
                known = await self._secrets.sending(old)
                kept = known.address if given == old.terms.url else sending.address
                same_place = origin_of(given) == origin_of(old.terms.url)
                sending = Sending(routing_key or (known.routing_key if same_place else ""), kept)
            check_routing_key(terms, sending.routing_key)
            await self._secrets.change_sending(old, sending, by.key_id)
        return await self._put(old, old.with_terms(terms))

    async def remove(self, by: Principal, endpoint_id: str, tenant_id: str | None = None) -> Endpoint:
        """With its secret and its deliveries. Raises NotFound, OwnedByFile, Forbidden, StoreUnavailable."""
        old = await self._writable(named_tenant(by, tenant_id, WRITE), endpoint_id)
        if not await self._endpoints.remove(old.tenant_id, endpoint_id):
            raise _unknown(endpoint_id)
        with suppress(CredentialDamaged):
            await self._secrets.remove(old)
        await self._tell()
        return old

    async def pause(self, by: Principal, endpoint_id: str, tenant_id: str | None = None) -> Endpoint:
        """Events are kept for it meanwhile. Raises NotFound, Forbidden, Conflict, StoreUnavailable."""
        old = await self._found(named_tenant(by, tenant_id, OPERATE), endpoint_id)
        if old.state is EndpointState.PAUSED:
            return old
        return await self._put(old, replace(old, state=EndpointState.PAUSED, reason=""))

    async def resume(self, by: Principal, endpoint_id: str, tenant_id: str | None = None) -> Endpoint:
        """Also one that was disabled; what it missed can be replayed. Raises as `pause`."""
        old = await self._found(named_tenant(by, tenant_id, OPERATE), endpoint_id)
        if old.state is EndpointState.ACTIVE:
            return old
        return await self._put(old, replace(old, state=EndpointState.ACTIVE, reason="", failing=WELL))

    async def rotate(
        self, by: Principal, endpoint_id: str, overlap_s: float | None = None, tenant_id: str | None = None
    ) -> tuple[Endpoint, SecretText, float]:
        """The next secret, shown this once; the one before signs beside it for the overlap, in seconds.

        Raises InvalidRequest, NotFound, OwnedByFile, Forbidden, Conflict, CredentialDamaged, VaultLocked,
        StoreUnavailable.
        """
        lasting_s = OVERLAP_S if overlap_s is None else overlap_s
        if not 0 <= lasting_s <= OVERLAP_S_MAX:
            raise InvalidRequest(f"overlap_s is 0 to {OVERLAP_S_MAX:g}", param="overlap_s")
        old = await self._writable(named_tenant(by, tenant_id, WRITE), endpoint_id)
        secret = await self._secrets.rotate(old, by.key_id, lasting_s)
        return await self._reopened(old.tenant_id, endpoint_id), secret, lasting_s

    async def test(self, by: Principal, endpoint_id: str, tenant_id: str | None = None) -> str:
        """The id of an event that goes to this endpoint alone. Raises NotFound, Forbidden, Conflict for one
        that is not active, StoreUnavailable."""
        endpoint = await self._found(named_tenant(by, tenant_id, OPERATE), endpoint_id)
        if endpoint.state is not EndpointState.ACTIVE:
            raise Conflict(f"the endpoint is {endpoint.state.value}: nothing is sent to it; resume it first")
        key = f"{WEBHOOK_TEST}:{self._ids.next('event')}"
        await self._outbox.add(sample_event(endpoint, key, self._now_us()))
        return event_id(key)

    async def deliveries(
        self,
        by: Principal,
        endpoint_id: str | None,
        state: DeliveryState | None,
        *,
        before_seq: int | None,
        limit: int,
        tenant_id: str | None = None,
    ) -> list[Delivery]:
        """Newest first; without an endpoint, of all of them. Raises NotFound, Forbidden, StoreUnavailable."""
        wanted = named_tenant(by, tenant_id, READ)
        if endpoint_id is not None:
            await self._found(wanted, endpoint_id)
        return await self._log.page(wanted, endpoint_id, state, before_seq=before_seq, limit=limit)

    async def delivery(
        self, by: Principal, endpoint_id: str, delivery_id: str, tenant_id: str | None = None
    ) -> Opened:
        """Raises NotFound, Forbidden, StoreUnavailable."""
        return await self._delivery(named_tenant(by, tenant_id, READ), endpoint_id, delivery_id)

    async def retry(
        self, by: Principal, endpoint_id: str, delivery_id: str, tenant_id: str | None = None
    ) -> Delivery:
        """Sends one again, with a whole schedule before it. Raises NotFound, Forbidden, Conflict where its
        event is no more kept or wanted or the endpoint is disabled, StoreUnavailable."""
        wanted = named_tenant(by, tenant_id, OPERATE)
        endpoint = await self._takes_in(wanted, endpoint_id)
        found = await self._delivery(wanted, endpoint_id, delivery_id)
        if found.event is None:
            raise Conflict("the event is not kept any more")
        seq = found.delivery.seq
        again, _ = await self._log.replay(endpoint, (seq, seq + 1), self._now_us(), dead_only=False, limit=1)
        if not again:
            raise Conflict("the endpoint wants no such event any more; change what it wants first")
        await self._tell()
        return (await self._delivery(wanted, endpoint_id, delivery_id)).delivery

    async def replay(
        self,
        by: Principal,
        endpoint_id: str,
        since: datetime,
        until: datetime | None,
        *,
        dead_only: bool,
        tenant_id: str | None = None,
    ) -> Replayed:
        """Sends events of this time again that the endpoint wants now: all, also those that it was never
        meant to get, or only dead letters.

        Raises InvalidRequest, NotFound, Forbidden, Conflict for a disabled endpoint, StoreUnavailable.
        """
        wanted = named_tenant(by, tenant_id, OPERATE)
        endpoint = await self._takes_in(wanted, endpoint_id)
        now_us = self._now_us()
        until_us = now_us if until is None else epoch_us(until)
        if epoch_us(since) >= until_us:
            raise InvalidRequest("since must be before until", param="since")
        span = await self._log.places(wanted, epoch_us(since), until_us)
        if span is None:
            return Replayed(0, None)
        done, looked, (first, behind) = 0, 0, span
        while looked < REPLAYED_MAX:
            some, further = await self._log.replay(
                endpoint, (first, behind), now_us, dead_only=dead_only, limit=REPLAYED_AT_ONCE
            )
            done, looked = done + some, looked + REPLAYED_AT_ONCE
            if further is None:
                await self._tell()
                return Replayed(done, None)
            first = further
        await self._tell()
        return Replayed(done, await self._log.oldest(wanted, first, epoch_us(since), until_us))

    async def _delivery(self, tenant_id: str, endpoint_id: str, delivery_id: str) -> Opened:
        await self._found(tenant_id, endpoint_id)
        seq = parse_delivery_id(endpoint_id, delivery_id)
        found = None if seq is None else await self._log.one(tenant_id, endpoint_id, seq)
        if found is None:
            raise NotFound(f"no delivery {delivery_id[:100]!r} of this endpoint", param="delivery_id")
        return Opened(*found)

    async def _made(self, tenant_id: str) -> list[Endpoint]:
        return [each for each in await self._endpoints.all(tenant_id) if not each.declared]

    async def _found(self, tenant_id: str, endpoint_id: str) -> Endpoint:
        for endpoint in await self._endpoints.all(tenant_id):
            if endpoint.endpoint_id == endpoint_id:
                return endpoint
        raise _unknown(endpoint_id)

    async def _takes_in(self, tenant_id: str, endpoint_id: str) -> Endpoint:
        endpoint = await self._found(tenant_id, endpoint_id)
        if not endpoint.takes_in():
            raise Conflict("the endpoint is disabled: nothing is sent to it; resume it first")
        return endpoint

    async def _writable(self, tenant_id: str, endpoint_id: str) -> Endpoint:
        endpoint = await self._found(tenant_id, endpoint_id)
        if endpoint.declared:
            place = self._keeping.declared_in(endpoint_id)
            raise OwnedByFile(
                f"the endpoint is declared in {place or 'the configuration'}; change it there",
                param="endpoint_id",
                details={"owner": "file", "declared_in": place},
            )
        return endpoint

    async def _put(self, old: Endpoint, new: Endpoint) -> Endpoint:
        made = replace(new, updated_at_us=self._now_us(), revision=old.revision + 1)
        if not await self._endpoints.change(made, expected_revision=old.revision):
            raise Conflict("the endpoint was changed by somebody else; try again")
        await self._tell()
        return made

    async def _reopened(self, tenant_id: str, endpoint_id: str) -> Endpoint:
        """Every instance opens the endpoint's secret anew. The secret is another one already, so whoever
        changes the endpoint meanwhile must not keep its owner from learning it."""
        for _ in range(REOPENED_TRIES_MAX):
            with suppress(Conflict):
                now = await self._found(tenant_id, endpoint_id)
                return await self._put(now, now)
        raise Conflict("the endpoint was changed by somebody else again and again; rotate once more")

    async def _tell(self) -> None:
        # The change is in the store already; a slow start of using it is no reason to report a failure.
        with suppress(StoreUnavailable):
            await self._keeping.changed()

    def _now_us(self) -> int:
        return epoch_us(self._clock.utc_now())


def private_of(terms: EndpointTerms, routing_key: str) -> tuple[EndpointTerms, Sending]:
    """What may be shown of it, and what is secret."""
    shown = shown_url(terms.format, terms.url)
    return replace(terms, url=shown), Sending(routing_key, "" if shown == terms.url else terms.url)


def check_routing_key(terms: EndpointTerms, routing_key: str) -> None:
    """Raises InvalidConfiguration: PagerDuty needs one, nobody else takes one."""
    if terms.format is WebhookFormat.PAGERDUTY:
        if not 1 <= len(routing_key) <= ROUTING_KEY_LENGTH_MAX or not routing_key.isalnum():
            raise InvalidConfiguration(
                f"format pagerduty needs a routing key of 1 to {ROUTING_KEY_LENGTH_MAX} letters and digits; "
                "with another host it has to be given again",
                param="routing_key",
            )
    elif routing_key:
        raise InvalidConfiguration("a routing key belongs to format pagerduty", param="routing_key")


def _unknown(endpoint_id: str) -> NotFound:
    return NotFound(f"no webhook endpoint {endpoint_id[:100]!r} in this tenant", param="endpoint_id")


def _too_many() -> Conflict:
    return Conflict(f"this tenant has {ENDPOINTS_PER_TENANT_MAX} webhook endpoints; no more are kept")
