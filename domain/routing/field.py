"""The field of one decision: everything a strategy may look at."""

from collections.abc import Sequence

from domain.routing.conversation import Affinity
from domain.routing.filters import DropReason, Eligible
from domain.routing.live import LiveState
from domain.routing.requirements import Requirements
from domain.routing.table import Members, RoutingTable


class Field:
    """Everything a strategy may look at.

    `free` are candidates with room left in capacity that is paid for already. `affinity` is there when the
    request continues a conversation that is known. `left_out` counts targets of the route that are not
    eligible, or turned out not to be usable now, as far as anybody looked.
    """

    __slots__ = (
        "affinity",
        "draw",
        "eligible",
        "free",
        "left_out",
        "live",
        "members",
        "now",
        "requirements",
        "table",
    )

    def __init__(
        self,
        table: RoutingTable,
        members: Members,
        requirements: Requirements,
        live: LiveState,
        eligible: Eligible,
        left_out: dict[DropReason, int],
        *,
        now: float,
        draw: float,
    ) -> None:
        self.table = table
        self.members = members
        self.requirements = requirements
        self.live = live
        self.eligible = eligible
        self.now = now
        self.draw = draw
        self.free: Sequence[int] = live.with_room(eligible.mask, now) if table.reserved else ()
        self.affinity: Affinity | None = None
        self.left_out: dict[DropReason, int] = left_out

    @property
    def indices(self) -> Sequence[int]:
        """The candidates, in the route's declared order."""
        return self.eligible.indices
