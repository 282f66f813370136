"""What the configuration says of Bedrock: regions, keys, and what is missing, by field."""

from pathlib import Path

import pytest

from adapters.providers.families import FAMILIES
from adapters.providers.identities import IDENTITIES
from entrypoints.config.auth_sections import KINDS
from entrypoints.provider_endpoints import check_endpoints
from tests.unit.entrypoints.test_cloud_configuration import problems
from tests.unit.entrypoints.test_provisioning import made

REGION = "kind: bedrock, region: us-east-1, "


def test_every_kind_of_identity_that_can_be_configured_can_be_made() -> None:
    assert IDENTITIES.keys() == KINDS.keys()


@pytest.mark.parametrize(
    ("provider", "said"),
    [
        ("kind: bedrock, api_key: k", "providers.x.region: required"),
        ("kind: bedrock, auth: {kind: aws}", "providers.x.region: required"),
        ("kind: bedrock, region: us-east-1", "providers.x.auth: required: kind aws"),
        (f"{REGION} auth: {{kind: entra_managed_identity}}", "providers.x.auth.kind: Bedrock"),
        (
            "kind: anthropic, region: us-east-1, auth: {kind: aws}",
            "providers.x.auth.kind: Bedrock, and nothing else",
        ),
        (f"{REGION} auth: {{kind: aws, access_key_id: A}}", "providers.x.auth: access_key_id and"),
        (f"{REGION} auth: {{kind: aws, role_arn: models}}", "providers.x.auth: role_arn: must be an ARN"),
        (f"{REGION} auth: {{kind: aws, client_id: c}}", "providers.x.auth: client_id: not for kind"),
        (f"{REGION} auth: {{kind: aws, sts_url: 'http://x.example'}}", "providers.x.auth: sts_url must be"),
        (f"{REGION} api_key: k, auth: {{kind: aws}}", "providers.x: give either a key or auth"),
        ("kind: bedrock, region: mars, api_key: k", "providers.x.region: required for Bedrock"),
    ],
)
def test_what_is_missing_is_said_with_its_field(tmp_path: Path, provider: str, said: str) -> None:
    (problem,) = problems(tmp_path, provider)
    assert problem.startswith(said)


@pytest.mark.parametrize(
    "provider",
    [
        f"{REGION} auth: {{kind: aws}}",
        f"{REGION} auth: {{kind: aws, profile: work, role_arn: 'arn:aws:iam::1:role/x'}}",
        f"{REGION} api_key: k",
        "kind: amazon-bedrock, region: eu-central-1, api_key: k",
        "kind: bedrock, base_url: 'https://proxy.example', api_key: k",
    ],
)
def test_what_is_complete_is_taken(tmp_path: Path, provider: str) -> None:
    assert problems(tmp_path, provider) == []


@pytest.mark.parametrize("variable", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_awss_own_variables_stand_in(tmp_path: Path, variable: str) -> None:
    environ = {variable: "eu-west-1", "AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "s", "HOME": "/h"}
    provided = made(tmp_path, "providers:\n  bedrock: {}\n", **environ)
    check_endpoints(provided)
    bedrock = provided.providers["bedrock"]
    assert bedrock.identity is not None and bedrock.identity.kind == "aws"
    assert bedrock.identity.values["AWS_ACCESS_KEY_ID"] == "A"
    assert bedrock.options["region"] == bedrock.identity.values["region"] == "eu-west-1"


def test_a_key_of_the_configuration_is_not_mixed_with_the_environments(tmp_path: Path) -> None:
    text = f"providers:\n  x: {{{REGION} api_key: k}}\n"
    provided = made(tmp_path, text, AWS_ACCESS_KEY_ID="A", AWS_SECRET_ACCESS_KEY="s")
    assert provided.providers["x"].identity is None


def test_the_region_makes_the_address_and_a_base_url_replaces_it(tmp_path: Path) -> None:
    text = f"providers:\n  x: {{{REGION} api_key: k}}\n"
    provider = made(tmp_path, text).providers["x"]
    url = FAMILIES["bedrock"].address(provider.base_url, provider.options)
    assert url == "https://bedrock-runtime.us-east-1.amazonaws.com"


def test_secrets_of_an_identity_are_never_shown(tmp_path: Path) -> None:
    keys = "access_key_id: A, secret_access_key: hush-1, session_token: hush-2"
    provided = made(tmp_path, f"providers:\n  x: {{{REGION} auth: {{kind: aws, {keys}}}}}\n")
    assert "hush-" not in repr(provided)


@pytest.mark.parametrize(
    "model",
    [
        "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    ],
)
def test_inference_profiles_have_the_price_of_their_model(tmp_path: Path, model: str) -> None:
    text = f"providers:\n  x: {{{REGION} api_key: k, models: {{mine: {{model: '{model}'}}}}}}\n"
    (target,) = [one for one in made(tmp_path, text).targets if one.model == model]
    assert target.offering.provider == "x" and target.offering.prices.base.input is not None
