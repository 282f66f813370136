"""Recorded prompts and answers, for whoever may read them."""

from collections.abc import Awaitable, Callable
from typing import Final

from application.ports.recordings import Recording, Recordings
from application.ports.system import Clock
from domain.errors import Forbidden, NotFound
from domain.tenancy.principal import Principal

READ_PROMPTS: Final = "prompts.read"


class ReadRecordings:
    """Never shows content across the border of a tenant, not even to the operator."""

    def __init__(self, store: Recordings, unlock: Callable[[], Awaitable[None]], clock: Clock) -> None:
        self._store = store
        self._unlock = unlock
        self._clock = clock

    async def __call__(self, by: Principal, request_id: str) -> list[Recording]:
        """What was recorded of a request, the prompt first. The view is entered in the audit trail by the
        door it came through.

        Raises Forbidden, NotFound (also for another tenant's request), VaultLocked, CredentialDamaged,
        StoreUnavailable.
        """
        if not by.may(READ_PROMPTS):
            raise Forbidden(f"this key's role {by.role} may not do this: {READ_PROMPTS} is needed")
        await self._unlock()
        now_us = int(self._clock.utc_now().timestamp() * 1e6)
        found = await self._store.of_request(by.tenant_id, request_id, now_us=now_us)
        if not found:
            raise NotFound(
                f"nothing is recorded of request {request_id[:80]!r}: its route and key did not ask for it, "
                "its time is over, or it is not this tenant's",
                param="request_id",
            )
        return found
