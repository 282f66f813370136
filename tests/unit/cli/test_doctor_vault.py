"""What keeps credentials shut, or checkpoints from leaving, is told before anybody needs them."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from entrypoints.cli.doctor_vault import checkpoint_findings, vault_findings
from entrypoints.cli.main import interchange
from entrypoints.settings import LoadedSettings, load_settings


def loaded(tmp_path: Path, yaml: str = "", **environ: str) -> LoadedSettings:
    file = tmp_path / "interchange.yaml"
    file.write_text(yaml or "{}")
    return load_settings({"INTERCHANGE_DATA_DIR": str(tmp_path / "data"), **environ}, config_path=file)


def with_credential(tmp_path: Path) -> None:
    kept = CliRunner().invoke(
        interchange,
        ["credentials", "add", "mail"],
        input="a secret\n",
        env={"INTERCHANGE_DATA_DIR": str(tmp_path / "data")},
    )
    assert kept.exit_code == 0, kept.output


def test_an_empty_vault_is_fine_and_gets_no_keys(tmp_path: Path) -> None:
    [found] = vault_findings(loaded(tmp_path))

    assert found.verdict == "ok"
    assert not (tmp_path / "data" / "vault.keys").exists()


def test_a_vault_that_opens_is_fine(tmp_path: Path) -> None:
    with_credential(tmp_path)

    assert [found.verdict for found in vault_findings(loaded(tmp_path))] == ["ok"]


def test_a_vault_whose_keys_are_away_is_told_and_gets_no_others(tmp_path: Path) -> None:
    with_credential(tmp_path)
    keys = tmp_path / "data" / "vault.keys"
    keys.rename(tmp_path / "elsewhere")

    [found] = vault_findings(loaded(tmp_path))

    assert (found.verdict, found.text) == ("fail", f"locked: {keys} is not there")
    assert not keys.exists()


def test_keys_that_others_can_read_lock_it(tmp_path: Path) -> None:
    with_credential(tmp_path)
    (tmp_path / "data" / "vault.keys").chmod(0o644)

    [found] = vault_findings(loaded(tmp_path))

    assert found.verdict == "fail"
    assert found.text.startswith("locked: ")


def test_a_source_of_keys_that_says_nothing_is_told(tmp_path: Path) -> None:
    with_credential(tmp_path)

    [found] = vault_findings(loaded(tmp_path, "vault: {keys: environment}"))

    assert found.verdict == "fail"


def test_without_a_file_for_checkpoints_there_is_nothing_to_tell(tmp_path: Path) -> None:
    assert list(checkpoint_findings(loaded(tmp_path))) == []


@pytest.mark.parametrize(
    ("place", "verdict"), [("new/notes.txt", "ok"), ("folder", "fail"), ("taken/notes.txt", "fail")]
)
def test_whether_checkpoints_can_be_appended_is_told_and_nothing_is_written(
    tmp_path: Path, place: str, verdict: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "taken").write_text("a file")

    [found] = checkpoint_findings(loaded(tmp_path, f"audit: {{checkpoint_file: '{tmp_path / place}'}}"))

    assert found.verdict == verdict
    assert not (tmp_path / "new").exists()
