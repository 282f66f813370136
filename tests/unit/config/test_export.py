"""What leaves of a configuration can be read again, and tells no secret."""

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from entrypoints.cli.config import as_yaml
from entrypoints.config.export import MASK, differences, effective
from entrypoints.config.reload import merged, restart_only
from entrypoints.config.root import Settings
from entrypoints.settings import LoadedSettings, load_settings

TEXT = """\
portkey: {gateways: ["http://user:hidden-one@10.0.0.1:8787"], api_key: hidden-two}
providers:
  api_key:
    kind: openai
    base_url: http://127.0.0.1:9001/v1
    api_key: ${ACME_KEY}
    headers: {x-team: hidden-three}
    models: {small: {input_usd_per_mtok: 0.10}, "odd$${name}": {}}
  beta: {kind: anthropic, keys: [{key: hidden-four, rpm: 5}]}
  gamma: {kind: openai, base_url: "http://127.0.0.1:9002/v1?api-version=1&subscription-key=hidden-eight"}
routes:
  key: {targets: [api_key/small], timeouts: {total_s: "${TOTAL:-60}"}}
storage: {redis_cluster_urls: ["redis://:hidden-five@10.0.0.2:6379"]}
budgets: [{name: month, scope: {tenant: default, key: "*"}, period: month, limit_usd: 100.50}]
rate_limits: [{name: each, scope: {key: "*"}, requests: 5, per: minute}]
"""
ENVIRON = {"ACME_KEY": "hidden-six", "DATABASE_URL": "sqlite:////x/hidden-seven.db", "PORT": "9999"}


@pytest.fixture
def loaded(tmp_path: Path) -> LoadedSettings:
    return load(tmp_path, TEXT, ENVIRON)


def load(place: Path, text: str, environ: dict[str, str]) -> LoadedSettings:
    file = place / "interchange.yaml"
    file.write_text(text)
    return load_settings(environ, config_path=file)


@pytest.mark.parametrize("everything", [False, True])
def test_no_secret_is_in_what_is_shown(loaded: LoadedSettings, everything: bool) -> None:
    text = as_yaml(effective(loaded.settings, loaded.references, everything=everything))

    assert "hidden" not in text
    assert "${ACME_KEY}" in text
    assert "${DATABASE_URL}" in text
    assert MASK in text


@pytest.mark.parametrize("everything", [False, True])
def test_what_is_exported_is_read_again_as_the_same(
    tmp_path: Path, loaded: LoadedSettings, everything: bool
) -> None:
    exported = as_yaml(effective(loaded.settings, loaded.references, everything=everything))

    again = load(tmp_path, exported, ENVIRON)

    shown = effective(loaded.settings, loaded.references, everything=everything)
    assert effective(again.settings, again.references, everything=everything) == shown
    assert again.settings.providers["api_key"] == loaded.settings.providers["api_key"].model_copy(
        update={"headers": again.settings.providers["api_key"].headers}
    )
    assert again.settings.routes == loaded.settings.routes
    assert again.settings.budgets == loaded.settings.budgets
    assert again.settings.server.port == 9999


def test_names_that_sound_like_secrets_are_names(loaded: LoadedSettings) -> None:
    shown = effective(loaded.settings, loaded.references)

    assert shown["providers"]["api_key"]["kind"] == "openai"
    assert shown["routes"]["key"]["targets"] == [{"target": "api_key/small"}]


def test_differences_are_leaves_by_path() -> None:
    old: dict[str, Any] = {"a": {"b": 1, "c": [1]}, "gone": True}
    new: dict[str, Any] = {"a": {"b": 2, "c": [1]}, "new": {}}

    assert differences(old, new) == [("a.b", 1, 2), ("gone", True, None), ("new", None, {})]
    assert differences(old, old) == []


def test_a_merge_takes_what_it_may_and_keeps_what_takes_a_restart(tmp_path: Path) -> None:
    running = load(tmp_path, TEXT, ENVIRON).settings
    changed = TEXT.replace('total_s: "${TOTAL:-60}"', "total_s: 5").replace(
        "api_key: hidden-two", "managed: true"
    )
    wanted = load(
        tmp_path, changed + "limits: {provider_timeout_s: 3, max_body_bytes: 2048}\n", ENVIRON
    ).settings

    taken = merged(running, wanted)

    assert taken.needs_restart == ("limits.max_body_bytes", "portkey.api_key", "portkey.managed")
    assert taken.settings.routes["key"].timeouts.total_s == 5
    assert taken.settings.limits.provider_timeout_s == 3
    assert taken.settings.limits.max_body_bytes == running.limits.max_body_bytes
    assert taken.settings.portkey.api_key == running.portkey.api_key
    assert merged(running, running) == (running, ())


def test_every_section_is_either_taken_over_or_named_as_taking_a_restart() -> None:
    named = {path.partition(".")[0] for path in restart_only()}

    assert named <= set(Settings.model_fields)
    assert {"server", "storage", "data_dir", "profile", "limits", "portkey"} <= named
    assert not {"providers", "routes", "breaker", "health"} & named


def test_yaml_is_what_a_reader_expects() -> None:
    data = {"a": {"b": "x: y", "c": ["1", 2, True]}}

    assert YAML(typ="safe").load(as_yaml(data)) == data
