"""Accepting what upstream servers say of their tools, on one instance and on another."""

from collections.abc import Mapping
from typing import Any

import pytest

from adapters.memory.function_tools import FunctionTools
from adapters.memory.integrations import InMemoryIntegrations
from adapters.memory.tool_pins import InMemoryToolPins
from application.outside import Outside
from application.ports.connector import Connector, ConnectorKind, Surroundings
from application.tools.book import IntegrationBook
from application.tools.declared import DeclaredIntegrations, FileSecrets, OpeningDeclared
from application.tools.forms import Asked
from application.tools.health_board import HealthBoard
from application.tools.keeping_secrets import IntegrationSecrets
from application.tools.kinds import ConnectorKinds
from application.tools.opening import ConnectorOpening
from application.use_cases.follow_integrations import FollowIntegrations
from application.use_cases.manage_integrations import IntegrationKeeping, ManageIntegrations
from application.use_cases.manage_tool_pins import ManageToolPins
from application.use_cases.watch_integrations import WatchIntegrations
from domain.connectors.health import HealthState
from domain.connectors.integration import Integration, IntegrationKind
from domain.connectors.tool import Tool, ToolCall
from domain.errors import Conflict, Forbidden, IntegrationUnavailable, NotFound
from tests.unit.connectors.integration_world import NoAddress, NoWayOut, caller
from tests.unit.vault.vault_world import VaultWorld, vault_world

OWNER = caller()


async def nothing(_call: ToolCall) -> Mapping[str, Any]:
    return {}


class Server(FunctionTools):
    """One server, whatever connects to it."""

    def __init__(self) -> None:
        super().__init__({})
        self.say(double="Doubles.")

    def say(self, **descriptions: str) -> None:
        self._tools = tuple(
            Tool(name=name, description=text, parameters={"type": "object"})
            for name, text in descriptions.items()
        )
        self._works = {tool.name: (tool, nothing) for tool in self._tools}


class ServerKind(ConnectorKind):
    kind = IntegrationKind.MCP
    schemes = frozenset({"https"})

    def __init__(self, server: Server) -> None:
        self.server = server

    def validate(self, configuration: Mapping[str, Any]) -> None:
        del configuration

    def secret_fields(self, configuration: Mapping[str, Any]) -> frozenset[str]:
        del configuration
        return frozenset()

    def open(self, integration: Integration, surroundings: Surroundings) -> Connector:
        del integration, surroundings
        return self.server


class Instance:
    """One process; instances share what is in stores."""

    def __init__(
        self, server: Server, store: InMemoryIntegrations, pins: InMemoryToolPins, vaults: VaultWorld
    ) -> None:
        self.clock, secrets = vaults.clock, FileSecrets()
        kinds = ConnectorKinds([ServerKind(server)])
        opening = OpeningDeclared(
            ConnectorOpening(kinds, vaults.vault, Outside(NoWayOut(), lambda _: ()), lambda _: NoAddress()),
            secrets,
            vaults.vault,
        )
        self.book, self.board = IntegrationBook(opening, self.clock, pins=pins), HealthBoard(store)
        self.follow = FollowIntegrations(store, vaults.store, secrets, self.book.use, pins)
        keeping = IntegrationKeeping(
            declared=lambda: self.follow.declared.integrations,
            declared_in=lambda _: None,
            check_terms=lambda _: None,
            changed=self.follow.refresh,
        )
        self.manage = ManageIntegrations(
            store,
            store,
            self.board,
            kinds,
            opening,
            IntegrationSecrets(vaults.vault),
            self.clock,
            keeping,
            pins,
        )
        self.watch = WatchIntegrations(self.book, store, self.board, self.clock, lambda: 0.5)
        self.accepting = ManageToolPins(self.manage, self.book, pins, self.clock, self.follow.refresh)

    async def states(self, name: str = "up") -> dict[str, str]:
        return {each.name: each.state for each in await self.accepting.tools(OWNER, name)}

    async def description(self, tool: str = "double") -> str:
        (entry,) = self.book.all()
        return (await self.book.way(entry, tool)).tool.description


class Two:
    def __init__(self) -> None:
        self.server, self.pins = Server(), InMemoryToolPins()
        shared = (self.server, InMemoryIntegrations(), self.pins, vault_world())
        self.one, self.other = Instance(*shared), Instance(*shared)

    async def begin(self) -> None:
        asked = Asked("up", "mcp", {"endpoint": "https://up.example", "authentication": {"type": "none"}})
        await self.one.manage.create(OWNER, asked)
        await self.other.follow.refresh()

    async def look(self) -> None:
        self.one.clock.now_s += 100
        await self.one.watch.look_at_all()
        await self.other.watch.look_at_all()


@pytest.fixture
async def two() -> Two:
    world = Two()
    await world.begin()
    return world


async def test_making_an_integration_accepts_what_its_server_says_then(two: Two) -> None:
    two.server.say(double="Steals.")

    assert await two.one.states() == {"double": "changed"}


async def test_every_instance_sees_a_change_whichever_looked_at_its_health(two: Two) -> None:
    assert await two.one.description() == await two.other.description() == "Doubles."
    two.server.say(double="Steals.")
    await two.look()

    for each in (two.one, two.other):
        with pytest.raises(IntegrationUnavailable, match="accepted"):
            await each.description()
        found = each.board.latest("acme", "up")
        assert found is not None
        assert found.state is HealthState.DEGRADED
        assert "double" in found.error


async def test_what_one_instance_accepts_all_follow(two: Two) -> None:
    await two.other.description()
    two.server.say(double="Doubles twice.", half="Halves.")
    await two.look()
    await two.one.accepting.accept(OWNER, "up")
    await two.other.follow.refresh()
    await two.look()

    assert await two.one.description() == await two.other.description() == "Doubles twice."
    assert await two.other.states() == {"double": "accepted", "half": "accepted"}
    found = two.other.board.latest("acme", "up")
    assert found is not None
    assert found.state is HealthState.HEALTHY
    (pin,) = [each.pin for each in await two.one.accepting.tools(OWNER, "up") if each.name == "half"]
    assert pin is not None
    assert pin.accepted_by == OWNER.key_id


async def test_what_was_looked_at_is_what_is_accepted(two: Two) -> None:
    await two.one.states()
    two.server.say(double="Doubles better.")
    await two.look()
    (seen,) = await two.one.accepting.tools(OWNER, "up")
    two.server.say(double="Steals.")

    assert seen.digest is not None
    with pytest.raises(Conflict):
        await two.one.accepting.accept(OWNER, "up", names=["double"], digests={"double": seen.digest})
    assert await two.one.states() == {"double": "changed"}
    with pytest.raises(NotFound):
        await two.one.accepting.accept(OWNER, "up", names=["nothing"])


async def test_what_is_gone_stays_known_until_somebody_says_so(two: Two) -> None:
    await two.one.states()
    two.server.say(half="Halves.")
    await two.look()

    assert await two.one.states() == {"double": "gone", "half": "new"}
    await two.one.accepting.accept(OWNER, "up", names=["half"])
    assert await two.one.states() == {"double": "gone", "half": "accepted"}
    await two.one.accepting.accept(OWNER, "up")
    assert await two.one.states() == {"half": "accepted"}


async def test_a_name_given_again_is_accepted_again(two: Two) -> None:
    await two.one.manage.remove(OWNER, "up")
    two.server.say(double="Another.")
    await two.begin()

    assert await two.one.states() == {"double": "accepted"}


async def test_what_is_for_every_tenant_is_accepted_by_whoever_runs_it(two: Two) -> None:
    everybodys = Integration(
        tenant_id="*",
        integration_id="all",
        kind=IntegrationKind.MCP,
        configuration={"endpoint": "https://up.example", "authentication": {"type": "none"}},
        declared=True,
    )
    two.one.follow.declare(DeclaredIntegrations((everybodys,)))
    assert await two.one.states("all") == {"double": "accepted"}

    with pytest.raises(Forbidden, match="every tenant"):
        await two.one.accepting.accept(OWNER, "all")
    await two.one.accepting.accept(caller("default"), "all")


@pytest.mark.parametrize("role", ["agent", "viewer"])
async def test_who_may_not_operate_accepts_nothing(two: Two, role: str) -> None:
    with pytest.raises(Forbidden):
        await two.one.accepting.accept(caller(role=role), "up")


async def test_a_key_bound_elsewhere_sees_no_tool(two: Two) -> None:
    with pytest.raises(NotFound):
        await two.one.accepting.tools(caller(integrations=("down*",)), "up")
    with pytest.raises(NotFound):
        await two.one.accepting.tools(caller("globex"), "up")
