"""What the configuration says of Cohere: an address of the catalogue's, a key, and what is missing."""

from pathlib import Path

import pytest

from entrypoints.provider_endpoints import check_endpoints
from tests.unit.entrypoints.test_cloud_configuration import problems
from tests.unit.entrypoints.test_provisioning import made


def test_a_missing_key_is_said_with_its_field(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, "kind: cohere")
    assert problem == "providers.x.api_key: required, such as ${CO_API_KEY}"


@pytest.mark.parametrize(
    "provider",
    [
        "kind: cohere, api_key: k",
        "kind: cohere-chat, api_key: k",
        "kind: cohere, base_url: https://cohere.example.com",
        "kind: cohere, headers: {authorization: Bearer k}",
        "kind: cohere, via: portkey, api_key: k",
    ],
)
def test_what_is_complete_is_taken(tmp_path: Path, provider: str) -> None:
    assert problems(tmp_path, provider) == []


@pytest.mark.parametrize("variable", ["CO_API_KEY", "COHERE_API_KEY"])
def test_a_key_in_the_environment_switches_it_on(tmp_path: Path, variable: str) -> None:
    provided = made(tmp_path, "", **{variable: "k"})
    check_endpoints(provided)
    cohere = provided.providers["cohere"]
    assert (cohere.wire, cohere.api_key) == ("cohere", "k")
    assert {target.model for target in provided.targets} >= {"command-a", "embed-v4.0"}
