"""Demands for regions, what meets them, and the places that take content."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import ResidencyViolation
from domain.residency.place import ANYWHERE, Atlas
from domain.residency.sinks import NOWHERE_KNOWN, sinks_in
from domain.routing.requirements import REGIONS

GROUPS = {"eu": frozenset({"eu-west", "eu-central"}), "us": frozenset({"us-east", "us-west"})}
ATLAS = Atlas(REGIONS, GROUPS)
demands = st.lists(st.sampled_from([*ATLAS.regions, "mars"]), max_size=3)
places = st.sampled_from([None, *ATLAS.regions, "mars"])


def test_a_group_is_met_by_each_of_its_regions_and_by_no_other() -> None:
    eu = ATLAS.residency(["eu"])
    assert [region for region in ATLAS.regions if eu.allows(region)] == ["eu-west", "eu-central", "eu"]
    assert str(eu) == "eu"


def test_without_a_demand_content_may_be_anywhere_and_with_one_never_at_a_place_nobody_knows() -> None:
    assert ATLAS.residency([]) is ANYWHERE
    assert ANYWHERE.allows(None)
    assert ATLAS.residency(["global"]).allows(None)
    assert not ATLAS.residency(["eu-west"]).allows(None)


@given(demands, places)
def test_several_demands_are_met_where_each_of_them_is(names: list[str], place: str | None) -> None:
    each = [ATLAS.residency([name]).allows(place) for name in names]
    assert ATLAS.residency(names).allows(place) == all(each)


@given(demands, demands, places)
def test_a_further_demand_can_only_narrow(some: list[str], more: list[str], place: str | None) -> None:
    if ATLAS.residency([*some, *more]).allows(place):
        assert ATLAS.residency(some).allows(place)


def test_a_sink_says_where_it_is_when_it_refuses() -> None:
    sinks = sinks_in("eu-west", redis="us-east")
    assert [sink.name for sink in sinks.breaches(ATLAS.residency(["eu"]))] == ["its Redis"]
    with pytest.raises(
        ResidencyViolation, match="data must stay in eu, and its Redis is in us-east"
    ) as refused:
        sinks.redis.require(ATLAS.residency(["eu"]), "cache")
    assert refused.value.param == "cache"
    assert refused.value.details == {"sink": "its Redis", "region": "us-east"}


def test_an_installation_that_declares_nothing_takes_no_content_that_must_stay_somewhere() -> None:
    assert NOWHERE_KNOWN.breaches(ATLAS.residency(["eu"])) == NOWHERE_KNOWN
    assert NOWHERE_KNOWN.breaches(ANYWHERE) == ()
    with pytest.raises(ResidencyViolation, match="in a region nobody declared"):
        NOWHERE_KNOWN.database.require(ATLAS.residency(["eu"]))
