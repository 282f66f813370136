"""What the configuration says of Replicate: an address of the catalogue's, a token, and what is missing."""

from pathlib import Path

import pytest

from tests.unit.entrypoints.test_cloud_configuration import problems
from tests.unit.entrypoints.test_provisioning import made


def test_a_missing_token_is_said_with_its_field(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, "kind: replicate")
    assert problem == "providers.x.api_key: required, such as ${REPLICATE_API_TOKEN}"


@pytest.mark.parametrize(
    "provider",
    [
        "kind: replicate, api_key: k",
        "kind: replicate, base_url: https://replicate.example.com",
        "kind: replicate, via: portkey, api_key: k",
    ],
)
def test_what_is_complete_is_taken(tmp_path: Path, provider: str) -> None:
    assert problems(tmp_path, provider) == []


def test_the_usual_variable_switches_it_on(tmp_path: Path) -> None:
    provided = made(tmp_path, "", REPLICATE_API_TOKEN="r8-secret")
    provider = provided.providers["replicate"]
    assert (provider.wire, provider.api_key) == ("replicate", "r8-secret")
    assert provider.base_url == "https://api.replicate.com/v1"
