"""What a refusal names: what is missing, never what is there."""

from domain.llm.capabilities import Capability
from domain.routing.filters import DropReason
from domain.routing.refusals import demand_sentence
from domain.routing.requirements import Requirements

NEEDS = Capability.TEXT | Capability.VISION | Capability.REASONING


def sentence(able: Capability) -> str:
    return demand_sentence(DropReason.CAPABILITY, Requirements(capabilities=NEEDS), able=int(able))


def test_only_the_missing_abilities_are_named() -> None:
    assert sentence(Capability.TEXT | Capability.VISION) == "not capable of reasoning"


def test_where_each_is_there_but_nowhere_all_of_them_are_named() -> None:
    assert sentence(NEEDS) == "not capable of reasoning, text, vision"
