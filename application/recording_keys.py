"""The keys that recorded content is sealed with: credentials of the vault, opened when they are needed first.

They are not turned by rotations, which put them under new master keys instead: a recording may be kept for
years.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from application.ports.system import Clock
from application.reach import EVERY_TENANT, reaching
from application.vault_own_keys import OwnKeys

RECORDING_KEYS: Final = "recording-key"
LOOKED_AGAIN_AFTER_S: Final = 60.0


class RecordingKeys:
    """Call `ready` before anything is sealed or opened."""

    def __init__(
        self,
        own: OwnKeys,
        generation: Callable[[], Awaitable[int]],
        use: Callable[[Mapping[str, bytes]], None],
        clock: Clock,
    ) -> None:
        """`use` tells the seal its keys; `generation` is a number that changes with the vault."""
        self._own = own
        self._generation = generation
        self._use = use
        self._clock = clock
        self._seen: int | None = None
        self._looked_at = float("-inf")

    async def ready(self) -> None:
        """Makes the first key where there is none. Raises VaultLocked, CredentialDamaged, StoreUnavailable;
        keys that were opened before stay in use then."""
        now = self._clock.monotonic()
        if self._seen is not None and now - self._looked_at < LOOKED_AGAIN_AFTER_S:
            return
        with reaching(EVERY_TENANT):
            generation = await self._generation()
            if generation != self._seen:
                opened = await self._own.open()
                self._use({name: key.reveal() for name, key in opened.items()})
                self._seen = await self._generation()
        self._looked_at = now
