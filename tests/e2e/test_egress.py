"""Where a whole server connects to: what its file names, and nothing else inside."""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from entrypoints.config.export import effective
from entrypoints.settings import ConfigError, load_settings
from tests.e2e.stack import Stack

CONFIG = """
providers:
  near: {kind: openai, base_url: "{sim}/v1", api_key: k, via: direct, models: {small: {}}}
  metadata:
    {kind: openai, base_url: "http://metadata.google.internal", api_key: k, via: direct, models: {m: {}}}
"""
REFUSING = CONFIG + "egress: {deny: [127.0.0.1]}\n"


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    with Stack(tmp_path, CONFIG) as opened:
        yield opened


def ask(client: httpx.Client, model: str) -> httpx.Response:
    body = {"model": model, "messages": [{"role": "user", "content": "hello"}]}
    return client.post("/v1/chat/completions", json=body)


def test_a_provider_on_this_machine_is_reached_because_it_was_named(stack: Stack) -> None:
    with stack.client() as client:
        assert ask(client, "near/small").status_code == 200
        metrics = client.get("/metrics").text
    assert 'interchange_egress_refused_total{purpose="outside"} 0' in metrics


def test_what_is_denied_is_refused_from_the_next_connection_on(stack: Stack) -> None:
    file = stack.data_dir / "interchange.yaml"
    with stack.client() as client:
        assert ask(client, "near/small").status_code == 200
        file.write_text(REFUSING.replace("{sim}", stack.simulator.base_url))
        answer = _eventually_refused(client)
        assert (answer.status_code, answer.json()["error"]["code"]) == (502, "egress_refused")
        assert answer.headers["x-interchange-attempts"] == "1"
        assert "retry-after" not in answer.headers
        assert "169.254" not in answer.text
        assert 'interchange_egress_refused_total{purpose="providers"}' in client.get("/metrics").text


def _eventually_refused(client: httpx.Client) -> httpx.Response:
    give_up_at = time.monotonic() + 20.0
    while time.monotonic() < give_up_at:
        answer = ask(client, "near/small")
        if answer.status_code != 200:
            return answer
        time.sleep(0.05)
    raise AssertionError("it was never refused")


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ("egress: {allow: ['http://a.example']}", "is no destination"),
        ("egress: {deny: ['10.0.0.1/8']}", "is no destination"),
        ("egress: {proxy: 'https://user:s3cret@p:1'}", "must be http://"),
        ("egress: {no_proxy: [a.example]}", "without a proxy"),
        ("server: {trusted_proxies: ['0.0.0.0/0']}", "must not hold everybody"),
        ("server: {allowed_networks: [nowhere]}", "is no network"),
        ("server: {cors_origins: ['*']}", "must be an http"),
    ],
)
def test_a_section_that_cannot_be_meant_is_refused_in_words(tmp_path: Path, section: str, told: str) -> None:
    file = tmp_path / "interchange.yaml"
    file.write_text(section + "\n")
    with pytest.raises(ConfigError) as refused:
        load_settings({"INTERCHANGE_DATA_DIR": str(tmp_path)}, config_path=file)
    assert told in str(refused.value)
    assert "s3cret" not in str(refused.value)


def test_a_proxys_credentials_are_not_exported(tmp_path: Path) -> None:
    file = tmp_path / "interchange.yaml"
    file.write_text("egress: {proxy: 'http://user:s3cret@proxy.example:3128'}\n")
    loaded = load_settings({"INTERCHANGE_DATA_DIR": str(tmp_path)}, config_path=file)
    assert "s3cret" not in repr(loaded.settings)
    assert "s3cret" not in str(effective(loaded.settings, loaded.references, everything=True))
