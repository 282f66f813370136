"""Endpoints of all tenants in memory, as stores and the configuration file say."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from application.ports.webhooks import EndpointStore
from application.webhooks.secrets import FIELD, name_of
from domain.webhooks.endpoint import Endpoint, EndpointState
from domain.webhooks.health import WELL

REFRESH_EVERY_S: Final = 0.5


class WebhookBook:
    """Read by the dispatcher; followed by generation, so that other instances' changes arrive as well."""

    def __init__(self, store: EndpointStore) -> None:
        self._store = store
        self._generation = -1
        self._known: Mapping[str, Endpoint] = {}
        self._active: tuple[Endpoint, ...] = ()
        self.on_change: Callable[[], None] = lambda: None

    @property
    def active(self) -> tuple[Endpoint, ...]:
        """Those that are sent to."""
        return self._active

    @property
    def known(self) -> tuple[Endpoint, ...]:
        """All, whatever their state."""
        return tuple(self._known.values())

    def find(self, endpoint_id: str) -> Endpoint | None:
        return self._known.get(endpoint_id)

    def used_by(self, tenant_id: str, credential: str) -> str | None:
        """The endpoint that signs with this credential; None: none does."""
        endpoint = self._known.get(credential.removesuffix(f".{FIELD}"))
        if endpoint is None or endpoint.tenant_id != tenant_id or credential != name_of(endpoint.endpoint_id):
            return None
        return f"the webhook endpoint {endpoint.endpoint_id}"

    async def refresh(self) -> None:
        """Raises StoreUnavailable; what was known before holds."""
        generation = await self._store.generation()
        if generation == self._generation:
            return
        known = {each.endpoint_id: each for each in await self._store.all()}
        self._known, self._generation = known, generation
        self._active = tuple(each for each in known.values() if each.state is EndpointState.ACTIVE)
        self.on_change()

    async def declare(self, declared: Sequence[Endpoint], now_us: int) -> None:
        """What the file declares is what is stored as declared: made, changed and removed until both agree.
        An endpoint that was disabled stays so while nothing of it changed, one that somebody paused in any
        case. Raises StoreUnavailable, Conflict
        where several instances are at it at once; the next look goes on."""
        stored = {each.endpoint_id: each for each in await self._store.all() if each.declared}
        for wanted in declared:
            known = stored.pop(wanted.endpoint_id, None)
            if known is not None and known.tenant_id != wanted.tenant_id:
                await self._store.remove(known.tenant_id, known.endpoint_id)
                known = None
            if known is None:
                made = replace(wanted, created_at_us=now_us, updated_at_us=now_us)
                await self._store.add(made, endpoints_max=0)
            elif known.terms != wanted.terms:
                paused = known.state is EndpointState.PAUSED
                changed = replace(
                    known,
                    terms=wanted.terms,
                    state=EndpointState.PAUSED if paused else EndpointState.ACTIVE,
                    reason="",
                    failing=WELL,
                    updated_at_us=now_us,
                    revision=known.revision + 1,
                )
                await self._store.change(changed, expected_revision=known.revision)
        for gone in stored.values():
            await self._store.remove(gone.tenant_id, gone.endpoint_id)
        await self.refresh()
