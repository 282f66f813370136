"""What every ToolPins promises."""

import asyncio

import pytest

from application.ports.tool_pins import ToolPin, ToolPins
from contracts.ports._base import PortContract
from domain.errors import StoreUnavailable

NOW_US = 1_772_368_215_123_456
FIRST = ToolPin("a" * 64, NOW_US, "")
OTHER = ToolPin("b" * 64, NOW_US + 1, "key_1")


class ToolPinsContract(PortContract):
    """Bind `pins`, and `unreachable_pins`: the same adapter with its backend gone."""

    @pytest.fixture
    def pins(self) -> ToolPins:
        raise NotImplementedError

    @pytest.fixture
    def unreachable_pins(self) -> ToolPins:
        raise NotImplementedError

    async def test_nothing_is_accepted_at_first(self, pins: ToolPins) -> None:
        assert await pins.of("acme", "up") == {}
        assert await pins.turns() == {}

    async def test_what_is_accepted_is_found_again(self, pins: ToolPins) -> None:
        said = await pins.accept("acme", "up", {"double": FIRST, "Ω": OTHER})

        assert said == await pins.of("acme", "up") == {"double": FIRST, "Ω": OTHER}

    async def test_accepting_replaces_what_it_names_and_nothing_else(self, pins: ToolPins) -> None:
        await pins.accept("acme", "up", {"double": FIRST, "half": FIRST})
        await pins.accept("acme", "up", {"double": OTHER})

        assert await pins.of("acme", "up") == {"double": OTHER, "half": FIRST}

    async def test_only_the_first_who_sees_it_is_believed(self, pins: ToolPins) -> None:
        first = await pins.accept("acme", "up", {"double": FIRST}, only_first=True)
        second = await pins.accept("acme", "up", {"double": OTHER, "new": OTHER}, only_first=True)

        assert first == second == {"double": FIRST}

    async def test_of_many_who_see_it_first_one_is_believed(self, pins: ToolPins) -> None:
        told = [{f"tool{number}": FIRST} for number in range(6)]
        found = await asyncio.gather(*(pins.accept("acme", "up", each, only_first=True) for each in told))

        assert all(each == found[0] for each in found)
        assert found[0] in told

    async def test_an_integration_without_a_tool_left_is_not_seen_first_again(self, pins: ToolPins) -> None:
        await pins.accept("acme", "up", {"double": FIRST}, only_first=True)
        await pins.drop("acme", "up", ["double", "nothing"])

        assert await pins.accept("acme", "up", {"evil": OTHER}, only_first=True) == {}

    async def test_tenants_and_integrations_do_not_share_pins(self, pins: ToolPins) -> None:
        await pins.accept("acme", "up", {"double": FIRST})
        await pins.accept("globex", "up", {"double": OTHER})
        await pins.accept("acme", "down", {"half": OTHER})
        await pins.drop("acme", "down", ["double"])
        await pins.forget("globex", "up")

        assert await pins.of("acme", "up") == {"double": FIRST}
        assert await pins.of("acme", "down") == {"half": OTHER}
        assert await pins.of("globex", "up") == {}

    async def test_what_is_forgotten_is_seen_first_again(self, pins: ToolPins) -> None:
        await pins.accept("acme", "up", {"double": FIRST}, only_first=True)
        await pins.forget("acme", "up")
        await pins.forget("acme", "up")

        assert await pins.turns() == {}
        assert await pins.accept("acme", "up", {"double": OTHER}, only_first=True) == {"double": OTHER}

    async def test_who_accepts_turns_it_and_seeing_it_first_does_not(self, pins: ToolPins) -> None:
        await pins.accept("acme", "up", {"double": FIRST}, only_first=True)
        before = await pins.generation()
        turns = [dict(await pins.turns())]
        await pins.accept("acme", "up", {"double": OTHER})
        turns.append(dict(await pins.turns()))
        await pins.accept("acme", "up", {"double": OTHER})
        turns.append(dict(await pins.turns()))

        assert [each["acme", "up"] for each in turns] == [0, 1, 2]
        assert await pins.generation() > before

    async def test_a_cancelled_caller_leaves_all_or_nothing(self, pins: ToolPins) -> None:
        wanted = {f"tool{number}": FIRST for number in range(50)}
        task = asyncio.create_task(pins.accept("acme", "up", wanted))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.sleep(0.05)

        assert len(await pins.of("acme", "up")) in (0, 50)

    async def test_without_its_backend_it_says_so(self, unreachable_pins: ToolPins) -> None:
        pins = unreachable_pins
        for asking in (
            pins.of("acme", "up"),
            pins.accept("acme", "up", {"double": FIRST}),
            pins.drop("acme", "up", ["double"]),
            pins.forget("acme", "up"),
            pins.turns(),
            pins.generation(),
        ):
            with pytest.raises(StoreUnavailable):
                await asking
