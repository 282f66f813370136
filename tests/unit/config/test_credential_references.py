"""Credentials of the vault in the places where the configuration names them."""

from pathlib import Path

import pytest

from domain.vault.secret import SecretText
from entrypoints.config.credential_references import credential_names, used_by, with_credentials
from entrypoints.config.export import effective
from entrypoints.config.problems import ConfigError
from entrypoints.settings import LoadedSettings, load_settings

NAMED = """
providers:
  inner:
    kind: openai
    base_url: "http://127.0.0.1:9/v1"
    headers: {x-team-key: {credential: team}, x-plain: said}
    models: {small: {}}
"""


def loaded(tmp_path: Path, text: str = NAMED) -> LoadedSettings:
    file = tmp_path / "interchange.yaml"
    file.write_text(text)
    return load_settings({"INTERCHANGE_DATA_DIR": str(tmp_path / "data")}, config_path=file)


def test_a_header_may_name_a_credential(tmp_path: Path) -> None:
    settings = loaded(tmp_path).settings

    opened, problems = with_credentials(settings, {"team": SecretText("a-secret")})

    assert credential_names(settings) == {"team"}
    assert problems == []
    assert used_by(settings, "team") == "providers.inner.headers.x-team-key"
    headers = opened.providers["inner"].headers
    assert {name: value.get_secret_value() for name, value in headers.items()} == {
        "x-team-key": "a-secret",
        "x-plain": "said",
    }
    assert "a-secret" not in repr(opened)


@pytest.mark.parametrize(
    ("there", "said"),
    [({}, "no credential 'team' in the vault"), ({"team": SecretText("two\nlines")}, "line break")],
)
def test_a_credential_that_is_not_there_or_does_not_fit_is_told_at_its_header(
    tmp_path: Path, there: dict[str, SecretText], said: str
) -> None:
    settings = loaded(tmp_path).settings

    same, [problem] = with_credentials(settings, there)

    assert same is settings
    assert problem.startswith("providers.inner.headers.x-team-key: ")
    assert said in problem


def test_what_is_shown_names_it(tmp_path: Path) -> None:
    found = loaded(tmp_path)

    shown = effective(found.settings, found.references)["providers"]["inner"]["headers"]

    assert shown["x-team-key"] == {"credential": "team"}
    assert "said" not in str(shown)


def test_a_header_is_text_or_a_credential_and_nothing_else(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="credential"):
        loaded(tmp_path, NAMED.replace("{credential: team}", "{secret: team}"))
