"""Puts together what stops agents, from ports alone."""

from collections.abc import Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass

from application.guards import AgentGuards
from application.ports.conversation_tails import ConversationTails
from application.ports.stops import StopStore
from application.ports.system import Clock, IdFactory
from application.ports.telemetry import Gauge
from application.stops import StopBoard
from application.use_cases.manage_stops import ManageStops
from entrypoints.background import BackgroundTasks, in_any_case
from entrypoints.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Guarding:
    """What requests, routes and the lifespan use. `start` is for the lifespan."""

    board: StopBoard
    guards: AgentGuards
    manage: ManageStops

    async def start(self, stack: AsyncExitStack, tasks: BackgroundTasks) -> None:
        """Knows who is stopped when this returns, and follows. Raises StoreUnavailable."""
        await self.board.refresh()
        stack.push_async_callback(in_any_case, self.board.refresh)
        tasks.start("stops", self.board.run)

    def gauges(self) -> Iterable[Gauge]:
        """For the metrics page."""
        yield Gauge(
            "interchange_stops_total",
            "Stops made by this process, by what made them.",
            tuple(((("reason", cause.value),), count) for cause, count in self.board.made.items()),
            "counter",
        )
        yield Gauge(
            "interchange_stops_in_force",
            "Stops in force, of all processes.",
            tuple(((("reason", cause.value),), n) for cause, n in self.board.counts_in_force().items()),
        )


def make_guarding(
    store: StopStore, tails: ConversationTails, clock: Clock, ids: IdFactory, settings: Settings
) -> Guarding:
    """Everything around stops."""
    board = StopBoard(store, clock)
    return Guarding(
        board=board,
        guards=AgentGuards(board, tails, clock, ids, settings.guards.policy()),
        manage=ManageStops(board, clock, ids),
    )
