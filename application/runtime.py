"""The compiled snapshot that requests work from, swapped whole when configuration or catalogue change."""

from collections.abc import Mapping

from domain.routing.effective_price import discounts_due
from domain.routing.learned import Qualities, learned_table
from domain.routing.live import LiveState
from domain.routing.repricing import contracts_of, repriced
from domain.routing.table import RoutingTable


class Runtime:
    """Holds the routing table and the live state that belongs to it.

    Tables come at list prices; requests see them at what the contracts make of these. Readers take table and
    state in one go (`snapshot`) and keep them for the whole request, so that a swap never mixes an old
    table's indexes with a new live state.
    """

    __slots__ = ("_listed", "_month_nano_usd", "_pair", "_qualities")

    def __init__(self, table: RoutingTable, live: LiveState) -> None:
        self._month_nano_usd: dict[str, int] = {}
        self._qualities: Qualities = {}
        self._listed = table
        self._pair = (repriced(table, {}), live)

    @property
    def snapshot(self) -> tuple[RoutingTable, LiveState]:
        return self._pair

    def swap(self, table: RoutingTable) -> None:
        """Puts a new table in place; what is known about targets that stay is carried over."""
        self.replace(table, LiveState.carry_over(self._pair[1], table))

    def replace(self, table: RoutingTable, live: LiveState) -> None:
        """Puts both in place. `live` belongs to the table, and was made from the old one's states."""
        self._listed = table
        # Repricing keeps every target's place, so the live state belongs to the repriced table as well.
        self._pair = (self._learning(repriced(table, self._month_nano_usd)), live)

    def reprice(self, month_nano_usd: Mapping[str, int]) -> bool:
        """Takes providers' bills of this month; whether that changed what is paid from now on."""
        contracts = contracts_of(self._listed)
        before, after = (discounts_due(contracts, bills) for bills in (self._month_nano_usd, month_nano_usd))
        self._month_nano_usd = dict(month_nano_usd)
        if before == after:
            return False
        self._pair = (self._learning(repriced(self._listed, self._month_nano_usd)), self._pair[1])
        return True

    def learn(self, qualities: Qualities) -> bool:
        """Takes what was learned of targets, for routes that are ranked by it; whether that is news."""
        if qualities == self._qualities:
            return False
        self._qualities = dict(qualities)
        self._learning(self._pair[0])
        return True

    def _learning(self, table: RoutingTable) -> RoutingTable:
        table.learned = learned_table(table, self._qualities)
        return table

    @property
    def volume_providers(self) -> tuple[str, ...]:
        """Providers whose discount depends on the month's bill."""
        return tuple(name for name, contract in contracts_of(self._listed).items() if contract.volume)
