"""What a dead process held, brought into the ledger."""

import logging
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

from application.ports.hold_board import AbandonedHolds, OpenHold
from application.ports.ledger import LedgerStore
from application.ports.system import Clock
from domain.budgets.posting import HoldOutcome, Posting

log = logging.getLogger("interchange")

POSTINGS_PER_CALL: Final = 500


class RecoverHolds:
    """`stores` are all that the dead process may have had leases from; the last one is the database.

    Its rows have to be in the database before: what they say stands, and an open hold whose attempt has a row
    changes nothing. Whatever interrupts it, it is done again from the start, to the same end.
    """

    def __init__(self, stores: Sequence[LedgerStore], clock: Clock) -> None:
        self._stores = tuple(stores)
        self._clock = clock

    async def __call__(self, found: AbandonedHolds) -> None:
        """Counts each open hold at the held amount until its bill is known, then gives back its leases.

        Of a damaged board nothing is posted and nothing given back: all that was leased goes on counting,
        and is booked as unresolved once its holders have been silent for long. A hold posted beside it could
        be resolved, and so hide what the lost part would have said.

        Raises StoreUnavailable; then nothing of what was found may be forgotten.
        """
        if found.damaged:
            log.error(
                "what a process held when it died is not known in full; what it had leased (%s) counts as "
                "unresolved soon: see `interchange budget unresolved`",
                ", ".join(found.holders) or "nothing",
            )
            return
        now_us = int(self._clock.utc_now().timestamp() * 1e6)
        holds = iter(found.holds)
        while group := list(islice(holds, POSTINGS_PER_CALL)):
            await self._stores[-1].post(list(_postings(group)), now_us)
        if found.holds:
            log.warning(
                "a process died with %d open holds; they count until their bills are known", len(found.holds)
            )
        for holder in found.holders:
            for store in self._stores:
                await store.close(holder, now_us)


def _postings(holds: Sequence[OpenHold]) -> Iterator[Posting]:
    for hold in holds:
        yield Posting(
            attempt_id=hold.attempt_id,
            outcome=HoldOutcome.UNRESOLVED,
            charged_nano_usd=hold.held_nano_usd,
            held_nano_usd=hold.held_nano_usd,
            cost_nano_usd=0,
            holder=hold.group.holder,
            payer=hold.group.payer,
            # Soft budgets count rows: one that comes after all must not find its place taken by a guess of 0.
            leased=hold.group.leased,
        )
