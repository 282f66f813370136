"""Integrations as providers: what they become, what they must not touch, and what is left out."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from adapters.pricing.bundled import bundled_catalog
from application.ports.http import HttpRequest, HttpResponse, HttpTransport
from domain.catalog.offering import Catalog
from domain.connectors.integration import Integration, IntegrationKind, IntegrationState
from domain.errors import CredentialDamaged, InvalidConfiguration, StoreUnavailable
from domain.routing.target import Via
from domain.vault.secret import SecretBytes
from entrypoints.integrated_providers import (
    LOOKS_BETWEEN_TRIES,
    PROVIDERS_PER_TENANT_MAX,
    ProviderIntegrations,
    integrated_provider,
)
from entrypoints.provider_endpoints import direct_endpoints
from entrypoints.provisioning import Provision, provision
from entrypoints.settings import load_settings

CATALOG: Catalog = bundled_catalog(date(2026, 11, 21))
OPENAI = "https://api.openai.com/v1"
HOUSE = """
providers:
  house: {kind: openai, base_url: "http://127.0.0.1:9001/v1", api_key: secret, models: {small: {}}}
routes:
  assistant: {targets: [house/small]}
"""
AWS = {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "operators", "AWS_REGION": "eu-west-1"}


def integration(
    tenant_id: str = "acme", name: str = "mine", breaker: Mapping[str, Any] | None = None, **said: Any
) -> Integration:
    configuration = {
        "endpoint": "http://10.1.2.3:8000/v1",
        "authentication": {"type": "api_key"},
        "models": {"own": {"input_usd_per_mtok": 1, "output_usd_per_mtok": 1}},
        **said,
    }
    return Integration(
        tenant_id=tenant_id,
        integration_id=name,
        kind=IntegrationKind.LLM_PROVIDER,
        configuration={key: value for key, value in configuration.items() if value is not None},
        credentials={"api_key": f"{name}.api_key"},
        circuit_breaker=breaker or {},
    )


def made(tmp_path: Path, *integrations: Integration, text: str = HOUSE, **environ: str) -> Provision:
    path = tmp_path / "interchange.yaml"
    path.write_text(text)
    environ = {"INTERCHANGE_DATA_DIR": str(tmp_path), **environ}
    loaded = load_settings(environ, config_path=path)
    secrets = {"api_key": SecretBytes(b"a-key")}
    return provision(
        loaded.settings,
        CATALOG,
        environ,
        integrated=[integrated_provider(each, secrets) for each in integrations],
    )


def test_a_tenants_own_is_its_own_and_in_no_route_of_the_others(tmp_path: Path) -> None:
    provided = made(tmp_path, integration())

    own = provided.targets[-1]
    assert (own.id, own.own_id, own.provider, own.tenant_id) == (
        "acme:mine/own",
        "mine/own",
        "acme:mine",
        "acme",
    )
    assert own.via is Via.DIRECT
    for route in provided.routes.values():
        assert [member.target.id for member in route.targets] == ["house/small"]


@pytest.mark.parametrize("tenant_id", ["default", "*"])
def test_the_operators_serves_everybody_and_joins_what_is_chosen_among(
    tmp_path: Path, tenant_id: str
) -> None:
    provided = made(tmp_path, integration(tenant_id))

    own = provided.targets[-1]
    assert (own.id, own.tenant_id) == ("mine/own", "")
    assert [member.target.id for member in provided.routes["auto"].targets] == ["house/small", "mine/own"]


def test_the_gateway_carries_only_the_operators_requests_to_a_vendors_own_address(tmp_path: Path) -> None:
    vendors: dict[str, Any] = {"endpoint": OPENAI, "models": None, "via": "portkey"}
    provided = made(
        tmp_path,
        integration("default", "one", **vendors),
        integration("acme", "two", **vendors),
        integration("default", "three", via="portkey"),
        integration("default", "four", endpoint=f"{OPENAI}/", models=None),
    )

    assert provided.providers["one"].public_base_url
    assert provided.providers["one"].via is Via.PORTKEY
    assert set(provided.left_out) == {("acme", "two"), ("default", "three")}
    four = provided.providers["four"]
    assert (four.via, four.portkey_slug) == (Via.DIRECT, None)


def test_nothing_of_the_servers_environment_serves_an_integration(tmp_path: Path) -> None:
    wanted = integration(kind="bedrock", endpoint="https://bedrock-runtime.eu-west-1.amazonaws.com")
    without_key = replace(wanted, configuration={**wanted.configuration, "authentication": {"type": "none"}})
    path = tmp_path / "interchange.yaml"
    path.write_text(HOUSE)
    loaded = load_settings({"INTERCHANGE_DATA_DIR": str(tmp_path), **AWS}, config_path=path)

    provided = provision(loaded.settings, CATALOG, AWS, integrated=[integrated_provider(without_key)])

    assert "acme:mine" not in provided.providers
    [problem, *_] = provided.left_out["acme", "mine"]
    assert problem.startswith("auth:")


def test_what_cannot_be_a_provider_leaves_all_others_as_they_are(tmp_path: Path) -> None:
    bad = integration("other", "bad", kind="no-such-kind")
    taken = integration("default", "house")

    provided = made(tmp_path, bad, taken, integration())

    assert set(provided.providers) == {"house", "acme:mine"}
    assert set(provided.left_out) == {("other", "bad"), ("default", "house")}
    assert any("integrations.bad (tenant other): kind:" in warning for warning in provided.warnings)


def test_a_tenant_has_no_more_than_its_share(tmp_path: Path) -> None:
    many = [integration(name=f"n{number}") for number in range(PROVIDERS_PER_TENANT_MAX + 1)]

    provided = made(tmp_path, *many, integration("other"))

    assert list(provided.left_out) == [("acme", f"n{PROVIDERS_PER_TENANT_MAX}")]
    assert "other:mine" in provided.providers


def test_it_says_its_own_breaker_and_region(tmp_path: Path) -> None:
    provided = made(tmp_path, integration(breaker={"failure_threshold": 2}, region="eu-west"))

    assert provided.breakers["acme:mine"].consecutive_failures == 2
    assert provided.targets[-1].region == "eu-west"


@pytest.mark.parametrize("key", ["max_concurrency", "cache_ttl_s", "privacy"])
def test_what_only_tools_have_is_refused(key: str) -> None:
    with pytest.raises(InvalidConfiguration) as refused:
        said = integration()
        integrated_provider(replace(said, configuration={**said.configuration, key: 1}))

    assert refused.value.param == key


class NoWay(HttpTransport):
    async def send(self, request: HttpRequest) -> HttpResponse:
        raise AssertionError("nothing is sent")

    async def aclose(self) -> None:
        """Nothing is open."""


def test_it_takes_its_tenants_way_out_and_no_other(tmp_path: Path) -> None:
    provided = made(tmp_path, integration(), integration("default", "shared"))
    ways: dict[str, HttpTransport] = {"acme": NoWay(), "default": NoWay()}

    endpoints = direct_endpoints(provided, lambda provider: None, ways.__getitem__)

    assert endpoints["acme:mine"].transport is ways["acme"]
    assert endpoints["shared"].transport is ways["default"]
    assert endpoints["house"].transport is None
    assert set(direct_endpoints(provided, lambda provider: None)) == {"house"}


class Vault:
    """Counts what is opened, and fails where it is told to."""

    def __init__(self) -> None:
        self.opened: list[str] = []
        self.failing: dict[str, Exception] = {}

    async def __call__(self, wanted: Integration) -> Mapping[str, SecretBytes]:
        self.opened.append(wanted.integration_id)
        if wanted.integration_id in self.failing:
            raise self.failing[wanted.integration_id]
        return {"api_key": SecretBytes(b"a-key")}


async def test_secrets_are_opened_once_per_version_and_only_of_active_ones() -> None:
    vault = Vault()
    following = ProviderIntegrations(vault)
    first, second = integration(name="a"), integration(name="b")
    following.use([first, second, replace(first, integration_id="c", state=IntegrationState.DISABLED)])

    assert [each.integration_id for each in await following.read()] == ["a", "b"]
    await following.read()
    following.use([first, replace(second, version=2)])
    await following.read()

    assert vault.opened == ["a", "b", "b"]


async def test_one_whose_secret_does_not_open_is_left_out_told_and_tried_again() -> None:
    vault = Vault()
    vault.failing["a"] = CredentialDamaged("it is damaged")
    following = ProviderIntegrations(vault)
    following.use([integration(name="a"), integration(name="b")])

    assert [each.integration_id for each in await following.read()] == ["b"]
    assert following.problems == ("integrations.a (tenant acme): it is damaged",)
    for _ in range(LOOKS_BETWEEN_TRIES):
        await following.read()
    assert vault.opened == ["a", "b"]
    vault.failing.clear()
    assert [each.integration_id for each in await following.read()] == ["a", "b"]
    assert not following.problems


async def test_while_the_store_is_away_what_is_known_stays() -> None:
    vault = Vault()
    following = ProviderIntegrations(vault)
    following.use([integration(name="a")])
    await following.read()
    vault.failing["b"] = StoreUnavailable("away")
    following.use([integration(name="a"), integration(name="b")])

    with pytest.raises(StoreUnavailable):
        await following.read()

    following.use([integration(name="a")])
    assert [each.integration_id for each in await following.read()] == ["a"]
    assert vault.opened == ["a", "b"]
