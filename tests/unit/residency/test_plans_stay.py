"""No plan ever leaves the regions that its caller and its tenant demand, whatever else it is made of."""

from hypothesis import given, settings
from hypothesis import strategies as st

from application.places import Places
from application.tenant_book import TenantBook
from domain.errors import InterchangeError
from domain.residency.place import Atlas
from domain.residency.sinks import sinks_in
from domain.routing.plan import make_plan
from domain.routing.requirements import REGIONS, Requirements
from domain.routing.strategies import STRATEGIES
from domain.routing.table import region_of
from domain.routing.target import Target, Via
from domain.tenancy.tenant import Tenant
from tests.unit.routing._world import live_of, open_breaker, table_of, target

GROUPS = {"eu": frozenset({"eu-west", "eu-central"}), "pacific": frozenset({"apac", "us-west"})}
ATLAS = Atlas(REGIONS, GROUPS)
NAMES = ("eu-west", "eu-central", "us-east", "us-west", "apac", "eu", "pacific")
OFFERED = ((), ("eu-west",), ("eu-west", "eu-central"), ("eu-west", "us-east"))


def _sure_regions(one: Target) -> frozenset[str]:
    """Every region it may answer from; empty: nobody knows."""
    own = region_of(one)
    return frozenset({own}) if own is not None else one.offering.regions


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_no_plan_leaves_its_region(data: st.DataObject) -> None:
    draw = data.draw
    made = [
        target(
            f"{draw(st.sampled_from('abc'))}/m{place}",
            region=draw(st.sampled_from([None, None, *NAMES[:5]])),
            regions=draw(st.sampled_from(OFFERED)),
            compliance=draw(st.sampled_from([(), ("hipaa",)])),
        )
        for place in range(draw(st.integers(1, 10)))
    ]
    table = table_of(*made, region_groups=GROUPS, home_region="us-west")
    live = live_of(table)
    for place in range(len(made)):
        if draw(st.integers(0, 3)) == 0:
            open_breaker(live, place, 0.0)
    book = TenantBook()
    demanded = draw(st.sampled_from(["", *NAMES]))
    ruled = draw(st.sampled_from([frozenset[str](), frozenset({"HIPAA"})]))
    book.use([Tenant(tenant_id="acme", residency=demanded, compliance=ruled)])
    gateway = draw(st.sampled_from([None, "eu-west", "us-east"]))
    places = Places(book, ATLAS, sinks_in(None, gateway=gateway))
    wanted = Requirements(
        residency=draw(st.sampled_from([None, None, *NAMES, "global"])),
        strategy=draw(st.sampled_from([None, *STRATEGIES])),
    )
    places.hold_to(wanted, "acme")
    residency = places.residency(wanted)
    try:
        plan = make_plan(table, table.resolve("auto"), wanted, live, now=0.0, draw=draw(st.floats(0, 0.999)))
    except InterchangeError:
        return
    for one in (*plan.targets, *plan.spares):
        if residency.regions is not None:
            sure = _sure_regions(one)
            assert sure and all(residency.allows(region) for region in sure), (one, residency)
        assert {name.lower() for name in ruled} <= one.compliance | one.offering.compliance
    assert wanted.without_gateway == (not residency.allows(gateway))


def test_a_target_behind_a_gateway_elsewhere_is_not_planned() -> None:
    book = TenantBook()
    book.use([Tenant(tenant_id="acme", residency="eu-west")])
    near, behind = target("a/near", region="eu-west"), target("b/behind", region="eu-west")
    table = table_of(near, Target(**{name: getattr(behind, name) for name in _FIELDS}, via=Via.PORTKEY))
    for gateway, expected in (
        ("us-east", ["a/near"]),
        (None, ["a/near"]),
        ("eu-west", ["a/near", "b/behind"]),
    ):
        wanted = Requirements()
        Places(book, ATLAS, sinks_in("eu-west", gateway=gateway or "nowhere")).hold_to(wanted, "acme")
        plan = make_plan(table, table.resolve("auto"), wanted, live_of(table), now=0.0, draw=0.5)
        assert sorted(one.id for one in plan.targets) == expected


_FIELDS = ("index", "id", "provider", "model", "offering", "wire", "region", "compliance", "tags")


def test_a_tenant_nobody_described_is_held_to_nothing() -> None:
    wanted = Requirements()
    Places(TenantBook(), ATLAS).hold_to(wanted, "stranger")
    assert wanted.modest
