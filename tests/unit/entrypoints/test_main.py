"""The composition root as the command line uses it: the real stores of a data directory, without a server."""

import asyncio
import os
from pathlib import Path

import pytest

from domain.tenancy.key_rules import NewKey
from domain.tenancy.role import local_operator
from entrypoints.config.loading import load_settings
from entrypoints.local_stores import open_catalog_use_cases, open_key_use_cases
from entrypoints.main import build_application, planned_provision
from entrypoints.provisioning import ProvisioningError
from entrypoints.settings import LoadedSettings


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "data"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INTERCHANGE_DATA_DIR", str(folder))
    return folder


def loaded() -> LoadedSettings:
    return load_settings(os.environ)


def test_a_key_made_by_one_command_is_listed_by_the_next() -> None:
    with open_key_use_cases() as use_cases:
        made = asyncio.run(
            use_cases.create(local_operator(), NewKey(tenant_id="acme", name="ci", role="developer"))
        )
    with open_key_use_cases() as use_cases:
        listed = asyncio.run(use_cases.list(local_operator()))
    assert made.key_id in {record.key_id for record in listed}


def test_the_catalogue_is_there_before_any_server_ran() -> None:
    with open_catalog_use_cases() as use_cases:
        assert asyncio.run(use_cases.statistics()).offerings > 100


def test_planning_leaves_no_trace_of_itself(data_dir: Path) -> None:
    provided = planned_provision(loaded())
    assert provided.providers
    assert not data_dir.exists()


def test_planning_finds_a_schema_that_no_server_could_use(data_dir: Path) -> None:
    guardrails = "guardrails: {odd: {kind: json_schema, answer_schema: {type: 5}}}\n"
    file = data_dir.parent / "interchange.yaml"
    file.write_text(guardrails)

    with pytest.raises(ProvisioningError, match=r"guardrails\.odd\.answer_schema"):
        planned_provision(load_settings({}, config_path=file))


def test_planning_knows_the_catalogue_of_an_existing_data_directory(data_dir: Path) -> None:
    fresh = planned_provision(loaded())
    with open_key_use_cases():
        assert data_dir.exists()
    assert set(planned_provision(loaded()).providers) == set(fresh.providers)


def test_an_application_opens_nothing_before_its_start(data_dir: Path) -> None:
    assert build_application().faces is None
    assert not data_dir.exists()
