"""Settings and catalogue become targets: what the file says, the catalogue knows, and a key activates."""

from datetime import date
from pathlib import Path

import pytest

from adapters.pricing.bundled import bundled_catalog
from domain.caching.policy import CacheMode
from domain.catalog.offering import Catalog
from domain.errors import UnknownModel
from domain.llm.capabilities import Capability
from domain.routing.table import RoutingTable
from entrypoints.compiling import compiled_table
from entrypoints.provisioning import Provision, ProvisioningError, provision
from entrypoints.settings import load_settings

CATALOG: Catalog = bundled_catalog(date(2026, 11, 21))


def made(tmp_path: Path, text: str, **environ: str) -> Provision:
    path = tmp_path / "interchange.yaml"
    path.write_text(text)
    environ = {"INTERCHANGE_DATA_DIR": str(tmp_path), **environ}
    loaded = load_settings(environ, config_path=path)
    return provision(loaded.settings, CATALOG, environ, simulator_url="http://127.0.0.1:1")


def table(provided: Provision) -> RoutingTable:
    return RoutingTable.compile(provided.targets, provided.routes, default_route=provided.default_route)


SPEC_EXAMPLE = """
providers:
  acme:
    kind: openai
    base_url: http://127.0.0.1:9001/v1
    api_key: secret
    region: eu-west
    models:
      small: {input_usd_per_mtok: 0.1, output_usd_per_mtok: 0.4, context_tokens: 128000, quality: 0.6}
      large: {model: big-one, input_usd_per_mtok: 3, output_usd_per_mtok: 15, context_tokens: 200000}
routes:
  assistant:
    targets: [acme/small, {target: acme/large, weight: 1}]
"""


def test_behind_an_own_address_only_declared_models_exist(tmp_path: Path) -> None:
    provided = made(tmp_path, SPEC_EXAMPLE)
    assert [target.id for target in provided.targets] == ["acme/small", "acme/large"]
    small, large = provided.targets
    assert (small.model, large.model) == ("small", "big-one")
    assert small.offering.prices.base.input == 100_000_000
    assert large.offering.capabilities & Capability.LONG_CONTEXT
    assert small.region == "eu-west"
    assert {name: len(route.targets) for name, route in provided.routes.items()} == {
        "assistant": 2,
        "auto": 2,
    }


def test_the_operators_name_is_asked_for_and_the_providers_is_sent(tmp_path: Path) -> None:
    route = table(made(tmp_path, SPEC_EXAMPLE)).resolve("acme/large")
    assert route.targets[0].target.model == "big-one"
    assert not route.stand_ins


def test_an_unknown_model_of_a_known_provider_never_falls_back(tmp_path: Path) -> None:
    with pytest.raises(UnknownModel, match="acme"):
        table(made(tmp_path, SPEC_EXAMPLE)).resolve("acme/medium")


def test_a_key_in_the_environment_activates_its_provider_in_the_embedded_profile_only(tmp_path: Path) -> None:
    activated = made(tmp_path, SPEC_EXAMPLE, ANTHROPIC_API_KEY="k")
    assert "anthropic" in activated.providers
    assert len([t for t in activated.targets if t.provider == "anthropic"]) > 5
    production = made(tmp_path, "profile: production\n" + SPEC_EXAMPLE, ANTHROPIC_API_KEY="k")
    assert set(production.providers) == {"acme"}


def test_an_alias_of_a_kind_brings_address_and_models(tmp_path: Path) -> None:
    provided = made(tmp_path, "providers:\n  g: {kind: gemini, api_key: k}\n")
    assert provided.providers["g"].wire == "gemini"
    assert provided.providers["g"].base_url
    assert len(provided.targets) > 5


def test_a_dated_snapshot_is_sent_as_it_was_asked_for(tmp_path: Path) -> None:
    routes = table(made(tmp_path, "providers:\n  openai: {api_key: k}\n"))
    plain = routes.resolve("openai/gpt-4o")
    assert plain.targets[0].target.model == "gpt-4o"
    dated = routes.resolve("openai/gpt-4o-2024-08-06")
    assert [stand_in.model for stand_in in dated.stand_ins.values()] == ["gpt-4o-2024-08-06"]
    assert {stand_in.index for stand_in in dated.stand_ins.values()} == {
        t.target.index for t in dated.targets
    }


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    text = "providers:\n  x: {kind: nonsense, api_key: k}\nroutes:\n  r: {targets: [x/a, y/b]}\n"
    with pytest.raises(ProvisioningError) as caught:
        made(tmp_path, text)
    assert len(caught.value.problems) == 3


def test_simulated_targets_are_labelled_and_leave_auto_to_real_ones(tmp_path: Path) -> None:
    alone = made(tmp_path, "simulator: {enabled: true}\n")
    assert all(target.simulated for target in alone.targets)
    assert len(alone.routes["auto"].targets) == len(alone.targets)
    beside = made(tmp_path, "simulator: {enabled: true}\n" + SPEC_EXAMPLE)
    assert all(not member.target.simulated for member in beside.routes["auto"].targets)


def test_price_contracts_caching_habits_and_affinity_come_from_the_file(tmp_path: Path) -> None:
    provided = made(
        tmp_path,
        """
providers:
  acme:
    kind: openai
    base_url: http://127.0.0.1:9001/v1
    discount_percent: 12.5
    volume_discounts: [{above_usd_per_month: 1000, percent: 5}, {above_usd_per_month: "50000.5", percent: 7}]
    reserved: {tokens_per_minute: 100000, hourly_usd: 2.5, models: [big]}
    models: {big: {input_usd_per_mtok: 3, output_usd_per_mtok: 15}}
  claude: {kind: anthropic, base_url: "http://127.0.0.1:9002", models: {opus: {}}}
routes:
  pair: {targets: [acme/big, claude/opus], affinity: {min_prefix_tokens: 4096, ttl_s: 600, min_gain: 0.2}}
""",
    )
    big, opus = (provided.routes["pair"].targets[place].target for place in (0, 1))
    contract = big.contract
    assert contract is not None and opus.contract is None
    assert contract.discount_basis_points == 1250
    assert [(v.above_nano_usd, v.basis_points) for v in contract.volume] == [
        (1000 * 10**9, 500),
        (50_000_500_000_000, 700),
    ]
    assert contract.reserved is not None
    assert (contract.reserved.tokens_per_minute, contract.reserved.hourly_nano_usd) == (
        100_000,
        2_500_000_000,
    )
    assert (big.prompt_cache.by_mark, opus.prompt_cache.by_mark) == (False, True)
    policy = provided.routes["pair"].affinity
    assert (policy.enabled, policy.min_prefix_tokens, policy.ttl_s, policy.min_gain) == (True, 4096, 600, 0.2)


@pytest.mark.parametrize(
    ("strategy", "priorities"),
    [("balanced", [0, 1]), ("weighted", [0, 0]), ("latency", [0, 0]), ("cost", [0, 0]), ("priority", [0, 0])],
)
def test_the_order_of_targets_is_a_priority_only_where_it_is_weighed(
    tmp_path: Path, strategy: str, priorities: list[int]
) -> None:
    # Elsewhere an order nobody declared would starve every target but the first.
    provided = made(tmp_path, SPEC_EXAMPLE.replace("    targets:", f"    strategy: {strategy}\n    targets:"))
    assert [member.priority for member in provided.routes["assistant"].targets] == priorities


def test_caching_holds_for_declared_routes_the_automatic_one_and_models_by_name(tmp_path: Path) -> None:
    provided = made(
        tmp_path,
        SPEC_EXAMPLE.replace("weight: 1}]", "weight: 1}]\n    cache: {mode: verified}")
        + "cache: {mode: exact, ttl_s: 60, embedder: hashing}\n",
    )
    routes = compiled_table(provided)

    modes = {name: routes.resolve(name).cache.mode for name in ("assistant", "auto", "acme/small", "small")}

    assert modes == {
        "assistant": CacheMode.VERIFIED,
        "auto": CacheMode.EXACT,
        "acme/small": CacheMode.EXACT,
        "small": CacheMode.EXACT,
    }
    assert {routes.resolve(name).cache.ttl_s for name in modes} == {60}


EMBEDDED_BY = "cache: {{embedder: {model}, mode: {mode}}}\nproviders: {{p: {{kind: openai, base_url: 'http://127.0.0.1:1'}}}}"


@pytest.mark.parametrize(
    ("model", "mode", "environ", "told"),
    [
        ("openai/text-embedding-3-small", "observe", {}, True),
        ("openai/text-embedding-3-small", "observe", {"OPENAI_API_KEY": "k"}, False),
        ("openai/text-embedding-3-small", "exact", {}, False),
        ("p/embed", "verified", {}, False),
        ("sim-openai/embed", "verified", {}, True),
        ("hashing", "verified", {}, False),
    ],
)
def test_an_embedder_that_no_provider_is_there_for_is_told(
    tmp_path: Path, model: str, mode: str, environ: dict[str, str], told: bool
) -> None:
    provided = made(tmp_path, EMBEDDED_BY.format(model=model, mode=mode), **environ)

    assert [text.startswith("cache.embedder: provider") for text in provided.warnings] == [True] * told
