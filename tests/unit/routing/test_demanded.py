"""What a caller demanded, as records tell it."""

from domain.llm.capabilities import Capability
from domain.routing.demanded import LINE_CHARS_MAX, demanded
from domain.routing.requirements import Requirements


def test_who_demands_nothing_said_nothing() -> None:
    assert demanded(Requirements()) == ""


def test_every_demand_is_told_with_its_unit() -> None:
    wanted = Requirements(
        capabilities=Capability.VISION,
        max_cost_nano_usd=0,
        max_latency_ms=900,
        residency="eu-west",
        compliance=frozenset({"hipaa", "gdpr"}),
        strategy="cost",
        affinity=False,
    )

    assert demanded(wanted) == (
        "capabilities=vision,max_cost_nano_usd=0,max_latency_ms=900,residency=eu-west,compliance=gdpr+hipaa,"
        "strategy=cost,affinity=off"
    )


def test_what_callers_write_stays_one_value_and_bounded() -> None:
    said = demanded(Requirements(residency="x,strategy=free" + "y" * 5000, tags=frozenset({"a+b" * 900})))

    assert said.count(",") == 1
    assert "strategy=" not in said
    assert len(said) <= LINE_CHARS_MAX
