"""What can be said about the image and the compose file without running them."""

from typing import Any

import pytest
from ruamel.yaml import YAML

from entrypoints.config.environment import VARIABLES
from tests.architecture.repository import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def compose() -> Any:
    return YAML(typ="safe").load(ROOT / "docker-compose.yml")


def test_every_part_of_the_installation_is_there(compose: Any) -> None:
    assert set(compose["services"]) == {
        "interchange",
        "portkey",
        "redis",
        "postgres",
        "prometheus",
        "grafana",
    }


def test_every_image_is_pinned(compose: Any) -> None:
    images = [service["image"] for service in compose["services"].values()]

    assert all(":" in image and not image.endswith(":latest") for image in images)


def test_the_gateway_is_the_tested_version_and_not_published(compose: Any) -> None:
    assert compose["services"]["portkey"]["image"] == "portkeyai/gateway:1.15.2"
    assert "ports" not in compose["services"]["portkey"]


def test_only_known_variables_are_set(compose: Any) -> None:
    known = {variable.name for variable in VARIABLES} | {
        "OPENAI_API_KEY",
        "ANTHROPIC_API_KEY",
        "GEMINI_API_KEY",
        "INTERCHANGE_KEY_PEPPER",
    }

    assert set(compose["services"]["interchange"]["environment"]) <= known


def test_mounted_files_exist(compose: Any) -> None:
    for service in compose["services"].values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in compose["volumes"] or (ROOT / source).exists(), volume


def test_the_image_listens_everywhere_and_runs_as_nobody_special() -> None:
    assert "HOST=0.0.0.0" in DOCKERFILE
    assert "\nUSER interchange\n" in DOCKERFILE
    assert DOCKERFILE.index("USER interchange") < DOCKERFILE.index("ENTRYPOINT")
