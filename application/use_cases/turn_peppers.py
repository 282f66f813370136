"""Peppers of API keys: making another one, seeing what still hangs on the old, and taking it out."""

from typing import NamedTuple

from application.ports.keys import KeyPages, PepperKeeper
from application.ports.system import Clock
from domain.errors import Conflict, NotFound


class PepperStanding(NamedTuple):
    """One pepper. `secrets` of live keys are hashed under it; `known` says whether they can be checked."""

    version: int
    secrets: int
    hashing: bool
    known: bool


class TurnPeppers:
    """For whoever holds the machine. A secret can only be hashed anew when its holder shows it: keys move to
    the newest pepper when they are used, and a key that nobody uses stays until it is rotated or revoked."""

    def __init__(self, keeper: PepperKeeper, pages: KeyPages, clock: Clock) -> None:
        self._keeper = keeper
        self._pages = pages
        self._clock = clock

    async def standings(self) -> list[PepperStanding]:
        """Every pepper that is known here or that a live key needs, by version. Raises StoreUnavailable."""
        counts = await self._pages.per_pepper(self._clock.utc_now())
        known, hashing = self._keeper.versions(), self._keeper.hashing()
        return [
            PepperStanding(version, counts.get(version, 0), version == hashing, version in known)
            for version in sorted({*counts, *known})
        ]

    async def turn(self) -> int:
        """Makes a new pepper, which hashes from now on; its version.

        Raises Conflict where peppers come from the environment, StoreUnavailable.
        """
        return self._keeper.turn()

    async def drop(self, version: int) -> None:
        """Forgets a pepper for good.

        Raises NotFound, StoreUnavailable, and Conflict while it hashes, while secrets of live keys hang on
        it, or where peppers come from the environment.
        """
        for standing in await self.standings():
            if standing.version != version or not standing.known:
                continue
            if standing.hashing:
                raise Conflict(f"pepper {version} hashes new keys; make another one first", param="version")
            if standing.secrets:
                raise Conflict(
                    f"{standing.secrets} secrets of live keys are hashed with pepper {version}; they move "
                    "when they are used. Rotate or revoke those that nobody uses",
                    param="version",
                )
            self._keeper.drop(version)
            return
        raise NotFound(f"there is no pepper {version} here", param="version")
