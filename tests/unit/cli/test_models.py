"""`interchange models`."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from adapters.embeddings.model_files import ModelFiles
from domain.errors import InvalidRequest
from entrypoints.cli import offline


def models(*arguments: str) -> Result:
    return CliRunner().invoke(offline.models(), list(arguments))


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INTERCHANGE_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


def test_a_new_machine_has_no_model(data: Path) -> None:
    shown = models("list")
    assert shown.exit_code == 0
    assert shown.output.count("not installed") == 2
    assert not data.exists()


def test_what_cannot_be_used_is_said_and_removed(data: Path) -> None:
    directory = ModelFiles(data / "models", "fp32").directory
    directory.mkdir(parents=True)
    (directory / "manifest.json").write_text("{}")

    listed = json.loads(models("list", "--json").output)["data"]

    (broken,) = [row for row in listed if row["installed"]]
    assert (broken["id"], broken["usable"]) == ("minilm-l6-v2/fp32", False)
    assert "is not a manifest" in broken["problem"]
    assert "cannot be used" in models("list").output
    assert "removed the fp32 model" in models("remove", "--precision", "fp32").output
    assert models("remove", "--precision", "fp32").exit_code == 1


def test_the_configuration_says_where_and_which(data: Path, tmp_path: Path) -> None:
    (tmp_path / "interchange.yaml").write_text(f"cache: {{models_dir: {tmp_path}/shelf, precision: fp32}}\n")
    ModelFiles(tmp_path / "shelf", "fp32").directory.mkdir(parents=True)
    assert "removed the fp32 model" in models("remove").output


def test_int8_is_meant_where_nobody_says_otherwise(data: Path) -> None:
    ModelFiles(data / "models", "int8").directory.mkdir(parents=True)
    ModelFiles(data / "models", "fp32").directory.mkdir(parents=True)
    assert "removed the int8 model" in models("remove").output


def test_weights_that_are_not_there_are_refused(data: Path, tmp_path: Path) -> None:
    refused = models("install", "--from", str(tmp_path))
    assert refused.exit_code == 1
    assert isinstance(refused.exception, InvalidRequest)
