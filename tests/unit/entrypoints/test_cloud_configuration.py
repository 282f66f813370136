"""What the configuration says of clouds: identities, options, and what is missing, by field."""

import json
from pathlib import Path

import pytest

from adapters.providers.identities import TOKEN_SOURCES
from domain.catalog.tags import MAX_COMPLETION_TOKENS_TAG, MAX_TOKENS_TAG
from entrypoints.config.auth_sections import KINDS
from entrypoints.config.problems import ConfigError
from entrypoints.provider_endpoints import check_endpoints
from entrypoints.provisioning import ProvisioningError
from tests.unit.entrypoints.test_provisioning import made

AZURE = "base_url: https://r.openai.azure.com, "


def problems(tmp_path: Path, provider: str, **environ: str) -> list[str]:
    """What is wrong with one provider `x`."""
    try:
        check_endpoints(made(tmp_path, f"providers:\n  x: {{{provider}}}\n", **environ))
    except ProvisioningError as error:
        return error.problems
    except ConfigError as error:
        return [f"{problem.path}: {problem.message}" for problem in error.problems]
    return []


def test_every_kind_of_token_that_can_be_configured_can_be_made() -> None:
    assert TOKEN_SOURCES.keys() <= KINDS.keys()
    assert {kind for kind in KINDS if kind.startswith(("entra", "google"))} == TOKEN_SOURCES.keys()


@pytest.mark.parametrize(
    ("provider", "said"),
    [
        ("kind: azure, api_key: k", "providers.x.base_url: required"),
        (f"kind: azure, {AZURE}", "providers.x.api_key: required, or `auth`"),
        (
            f"kind: azure, {AZURE} auth: {{kind: entra_client_secret, tenant_id: t, client_id: c}}",
            "providers.x.auth.client_secret: required",
        ),
        (
            f"kind: azure, {AZURE} auth: {{kind: entra_workload_identity, tenant_id: t, client_id: c}}",
            "providers.x.auth.token_file: required",
        ),
        (
            f"kind: azure, {AZURE} auth: {{kind: entra_client_secret, token_file: f}}",
            "providers.x.auth: token_file: not for kind",
        ),
        (f"kind: azure, {AZURE} auth: {{kind: entra}}", "providers.x.auth: kind: must be one of"),
        (f"kind: azure, {AZURE} auth: {{}}", "providers.x.auth.kind: is required"),
        (
            f"kind: azure, {AZURE} api_key: k, auth: {{kind: entra_managed_identity}}",
            "providers.x: give either a key or auth",
        ),
        (
            f"kind: azure, {AZURE} via: portkey, auth: {{kind: entra_managed_identity}}",
            "providers.x.via: the gateway cannot use `auth`",
        ),
        ("kind: vertex, project: p", "providers.x.auth: required"),
        ("kind: vertex, auth: {kind: google_metadata_server}", "providers.x.project: required"),
        (
            "kind: vertex, project: p, location: Europe, auth: {kind: google_metadata_server}",
            "providers.x.location: lower-case",
        ),
        (
            "kind: vertex, project: p, auth: {kind: google_credentials}",
            "providers.x.auth.credentials_file: required",
        ),
        (
            "kind: vertex, project: p, auth: {kind: google_credentials, credentials_json: '{'}",
            "providers.x.auth: the credentials are not JSON",
        ),
        (
            "kind: vertex, project: p, auth: {kind: google_metadata_server, endpoint_url: 'http://x.example'}",
            "providers.x.auth: endpoint_url must be https",
        ),
    ],
)
def test_what_is_missing_is_said_with_its_field(tmp_path: Path, provider: str, said: str) -> None:
    (problem,) = problems(tmp_path, provider)
    assert problem.startswith(said)


@pytest.mark.parametrize(
    "provider",
    [
        f"kind: azure, {AZURE} api_key: k",
        f"kind: azure-openai, {AZURE} api_version: '2024-10-21', auth: {{kind: entra_managed_identity}}",
        "kind: vertex-ai, project: p, auth: {kind: google_metadata_server}",
        "kind: vertex, api_key: express",
        "kind: openai, base_url: https://r.openai.azure.com/openai/v1, auth: {kind: entra_managed_identity}",
        "kind: anthropic, base_url: https://r.services.ai.azure.com/anthropic, api_key: k",
        "kind: azure, via: portkey, api_key: k",
    ],
)
def test_what_is_complete_is_taken(tmp_path: Path, provider: str) -> None:
    assert problems(tmp_path, provider) == []


def test_the_clouds_own_variables_stand_in(tmp_path: Path) -> None:
    file = tmp_path / "login.json"
    document = {"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r"}
    file.write_text(json.dumps(document))
    environ = {
        "AZURE_TENANT_ID": "t",
        "AZURE_CLIENT_ID": "c",
        "AZURE_FEDERATED_TOKEN_FILE": "/var/run/token",
        "GOOGLE_APPLICATION_CREDENTIALS": str(file),
        "GOOGLE_CLOUD_PROJECT": "p-1",
    }
    text = f"""
providers:
  azure: {{{AZURE} auth: {{kind: entra_workload_identity}}}}
  vertex: {{location: eu}}
"""
    provided = made(tmp_path, text, **environ)
    check_endpoints(provided)
    azure, vertex = provided.providers["azure"], provided.providers["vertex"]
    assert azure.identity is not None and azure.identity.values["token_file"] == "/var/run/token"
    assert vertex.identity is not None and vertex.identity.kind == "google_credentials"
    assert vertex.options == {"project": "p-1", "location": "eu"}


def test_an_app_services_endpoint_is_taken_with_its_header_only(tmp_path: Path) -> None:
    text = f"providers:\n  azure: {{{AZURE} auth: {{kind: entra_managed_identity}}}}\n"
    endpoint = {"IDENTITY_ENDPOINT": "http://127.0.0.1:1/msi"}
    alone = made(tmp_path, text, **endpoint).providers["azure"].identity
    both = made(tmp_path, text, **endpoint, IDENTITY_HEADER="h").providers["azure"].identity
    assert alone is not None and "endpoint_url" not in alone.values
    assert both is not None and both.values["endpoint_url"] == "http://127.0.0.1:1/msi"


def test_clouds_are_reached_directly_unless_the_gateway_is_asked_for(tmp_path: Path) -> None:
    direct, asked = f"{{kind: azure, {AZURE} api_key: k}}", "{kind: azure, via: portkey, api_key: k}"
    text = f"providers:\n  a: {direct}\n  b: {asked}\n"
    provided = made(tmp_path, text)
    assert provided.providers["a"].portkey_slug is None
    assert provided.providers["b"].portkey_slug == "azure-openai"


def test_a_deployments_price_and_abilities_are_its_models(tmp_path: Path) -> None:
    models = "models: {gpt-4o: {model: prod}, mine: {base_model: gpt-4o}, unknown: {}}"
    provided = made(tmp_path, f"providers:\n  x: {{kind: azure, {AZURE} api_key: k, {models}}}\n")
    prod, mine, unknown = provided.targets
    assert (prod.model, mine.model, unknown.model) == ("prod", "mine", "unknown")
    assert prod.offering.prices == mine.offering.prices != unknown.offering.prices
    assert prod.offering.prices.base.input is not None and prod.offering.context_tokens


def test_targets_carry_what_their_server_does_not_take(tmp_path: Path) -> None:
    text = """
providers:
  openai: {api_key: k}
  own: {kind: openai, base_url: "http://127.0.0.1:1/v1", models: {m: {}}}
  tgi: {base_url: "https://x.endpoints.huggingface.cloud/v1", models: {tgi: {}}}
"""
    tags = {target.provider: target.tags for target in made(tmp_path, text).targets}
    assert MAX_COMPLETION_TOKENS_TAG in tags["openai"]
    assert MAX_COMPLETION_TOKENS_TAG not in tags["own"], "a server of that shape is not OpenAI itself"
    assert MAX_TOKENS_TAG in tags["tgi"]


def test_secrets_of_an_identity_are_never_shown(tmp_path: Path) -> None:
    auth = "auth: {kind: entra_client_secret, tenant_id: t, client_id: c, client_secret: hush-1}"
    provided = made(tmp_path, f"providers:\n  x: {{kind: azure, {AZURE} {auth}}}\n")
    assert "hush-1" not in repr(provided)
