"""Files of secrets that others can read are told, whoever restored them so."""

from pathlib import Path

import pytest

from entrypoints.cli.doctor_secrets import SECRET_FILES, secret_file_findings
from entrypoints.settings import LoadedSettings, load_settings


def loaded(tmp_path: Path) -> LoadedSettings:
    return load_settings({"INTERCHANGE_DATA_DIR": str(tmp_path)})


def with_mode(path: Path, mode: int) -> None:
    path.write_text("x")
    path.chmod(mode)


def test_private_files_are_fine(tmp_path: Path) -> None:
    for name in SECRET_FILES:
        with_mode(tmp_path / name, 0o600)
    with_mode(tmp_path / "vault.manifest", 0o600)
    assert [found.verdict for found in secret_file_findings(loaded(tmp_path))] == ["ok"]


@pytest.mark.parametrize("name", SECRET_FILES)
def test_a_file_of_secrets_that_others_read_is_told(tmp_path: Path, name: str) -> None:
    with_mode(tmp_path / name, 0o640)
    [found] = secret_file_findings(loaded(tmp_path))
    assert (found.verdict, found.advice) == ("fail", f"chmod 600 {tmp_path / name}")


def test_a_memory_of_manifests_that_others_write_is_told(tmp_path: Path) -> None:
    with_mode(tmp_path / "vault.manifest", 0o620)
    [found] = secret_file_findings(loaded(tmp_path))
    assert found.verdict == "fail"
