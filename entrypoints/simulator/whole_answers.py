"""Unary answers of the simulated provider: made, billed, and sent in time or late."""

import asyncio
from typing import NamedTuple

from entrypoints.simulator.connection import JSON, Connection
from entrypoints.simulator.conversation import Tokens
from entrypoints.simulator.faults import Fault, LatencyProfile
from entrypoints.simulator.misbehaviour import Account, send_unary
from entrypoints.simulator.routes import Route
from entrypoints.simulator.shapes import ERRORS
from entrypoints.simulator.state import SimulationState


class Unary(NamedTuple):
    """A whole answer ready to send, and what it is billed for."""

    body: bytes
    tokens: Tokens | None
    """None for what providers do not charge, such as lists of models."""
    id: str = "0"
    media: bytes = JSON
    model: str = ""
    status: int = 200


class Finished(NamedTuple):
    """The moment a keyed answer's work is done: it is billed then."""

    unary: Unary
    route: Route
    state: SimulationState

    def __call__(self) -> Unary:
        if self.unary.tokens is not None:
            route = self.route
            self.state.bill.charge(route.provider, self.unary.model, self.unary.tokens, caller=route.caller)
        return self.unary


async def deliver(
    connection: Connection,
    route: Route,
    standing: Unary | asyncio.Future[Unary],
    fault: Fault | None,
    account: Account,
) -> None:
    """A keyed answer, as soon as it is there; what spoils its delivery spoils nothing else."""
    unary = standing if isinstance(standing, Unary) else await standing
    headers = unary.media + ERRORS[route.shape].request_id_header % unary.id.encode()
    await send_unary(connection, headers, unary.body, fault, account)


async def late(
    connection: Connection,
    headers: bytes,
    unary: Unary,
    fault: Fault | None,
    profile: LatencyProfile | None,
    account: Account,
) -> None:
    """A unary answer that takes its time or is spoilt on the way."""
    if profile is not None:
        await asyncio.sleep(profile.whole_s(account.produced))
    await send_unary(connection, headers, unary.body, fault, account)
