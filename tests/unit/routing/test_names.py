"""What a caller may write as `model`."""

import pytest

from domain.errors import InvalidRequest, UnknownModel
from domain.routing.table import RoutingTable
from domain.routing.target import Route, RouteTarget
from tests.unit.routing._world import indexed, table_of, target


def ids(route: Route) -> list[str]:
    return [member.target.id for member in route.targets]


def catalogue() -> RoutingTable:
    return table_of(
        target("acme/small", aliases=["small-latest"]),
        target("acme/large"),
        target("other/small"),
        target("work-azure/gpt-4o", vendor="openai"),
        target("router/meta/llama-3"),
        default_route="auto",
    )


def test_a_routes_name_means_the_route() -> None:
    table = catalogue()
    assert table.resolve("auto") is table.routes["auto"]


def test_a_models_name_means_every_target_that_offers_it() -> None:
    route = catalogue().resolve("small")
    assert ids(route) == ["acme/small", "other/small"]
    assert route.implicit
    assert (route.name, route.strategy) == ("small", "balanced")


def test_an_alias_means_the_model() -> None:
    assert ids(catalogue().resolve("small-latest")) == ["acme/small"]
    assert ids(catalogue().resolve("acme/small-latest")) == ["acme/small"]


def test_provider_and_model_mean_that_target_alone() -> None:
    assert ids(catalogue().resolve("other/small")) == ["other/small"]


def test_an_offerings_catalogue_id_finds_it_under_the_operators_name() -> None:
    assert ids(catalogue().resolve("openai/gpt-4o")) == ["work-azure/gpt-4o"]


def test_a_models_own_name_may_contain_slashes() -> None:
    assert ids(catalogue().resolve("meta/llama-3")) == ["router/meta/llama-3"]
    assert ids(catalogue().resolve("router/meta/llama-3")) == ["router/meta/llama-3"]


def test_an_unknown_prefix_never_falls_back() -> None:
    with pytest.raises(UnknownModel, match="no provider 'nobody'") as caught:
        catalogue().resolve("nobody/small")
    assert "acme/small" in caught.value.nearest or "other/small" in caught.value.nearest


def test_a_configured_provider_without_that_model_is_unknown_too() -> None:
    with pytest.raises(UnknownModel, match="provider 'other' has no model 'large'"):
        catalogue().resolve("other/large")


def test_a_prefix_that_names_a_configured_provider_means_nobody_else() -> None:
    table = table_of(target("openai/gpt-4o"), target("router/openai/gpt-5"))
    with pytest.raises(UnknownModel):
        table.resolve("openai/gpt-5")
    assert ids(table_of(target("router/openai/gpt-5")).resolve("openai/gpt-5")) == ["router/openai/gpt-5"]


def test_another_case_is_accepted_when_nothing_matches_exactly() -> None:
    table = catalogue()
    assert ids(table.resolve("ACME/Large")) == ["acme/large"]
    assert table.resolve("AUTO").name == "auto"
    mixed = table_of(target("a/Model"), target("b/model"))
    assert ids(mixed.resolve("Model")) == ["a/Model"]
    assert ids(mixed.resolve("model")) == ["b/model"]


def test_the_nearest_names_are_in_the_message_and_the_details() -> None:
    with pytest.raises(UnknownModel, match="nearest names are") as caught:
        catalogue().resolve("acme/smal")
    assert caught.value.nearest[0] == "acme/small"
    assert caught.value.details["nearest"] == list(caught.value.nearest)


def test_a_part_of_a_long_name_finds_it() -> None:
    table = table_of(target("vendor/a-very-long-model-name-2026-11-20-preview"))
    assert table.nearest_names("2026") == ["a-very-long-model-name-2026-11-20-preview",
                                           "vendor/a-very-long-model-name-2026-11-20-preview"]  # fmt: skip


def test_a_monstrous_name_is_cut_in_the_message() -> None:
    with pytest.raises(UnknownModel) as caught:
        catalogue().resolve("x" * 100_000)
    assert len(caught.value.message) < 1000


def test_no_name_means_the_default_route_or_nothing() -> None:
    assert catalogue().resolve("").name == "auto"
    with pytest.raises(UnknownModel, match="no default route"):
        table_of(target("a/b")).resolve("")


def test_implicit_routes_are_made_once() -> None:
    table = catalogue()
    assert table.resolve("small") is table.resolve("small")


def test_a_table_refuses_what_does_not_fit_together() -> None:
    placed = indexed([target("a/b"), target("a/c")])
    stray = Route(name="stray", targets=(RouteTarget(target=target("x/y")),))
    with pytest.raises(InvalidRequest, match="not in the table"):
        RoutingTable.compile(placed, {"stray": stray})
    with pytest.raises(InvalidRequest, match="index"):
        RoutingTable.compile(placed[::-1], {})
    with pytest.raises(InvalidRequest, match="same id"):
        RoutingTable.compile([placed[0], placed[0]], {})
    with pytest.raises(InvalidRequest, match="default") as caught:
        RoutingTable.compile(placed, {}, default_route="gone")
    assert caught.value.param == "default_route"
