"""A LiteLLM configuration becomes one of ours that a server can run on, and every field is accounted for."""

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from adapters.pricing.bundled import BundledPriceBook
from domain.catalog.offering import Catalog
from domain.errors import InvalidRequest
from entrypoints.litellm.draft import period_of
from entrypoints.litellm.importing import make_usable, read_config, variables_of
from entrypoints.litellm.kinds import read_model
from entrypoints.litellm.report import Outcome, Report
from entrypoints.local_stores import bundled_catalog
from entrypoints.provisioning import provision
from entrypoints.settings import load_settings

CONFIG = (Path(__file__).parent / "config.yaml").read_text()


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return bundled_catalog()


def imported(text: str, catalog: Catalog) -> tuple[dict[str, Any], Report]:
    draft, report = read_config(text, "config.yaml")
    make_usable(draft, report, catalog, {})
    return draft.document(), report


def deployment(parameters: str, name: str = "m", more: str = "") -> str:
    return f"model_list:\n  - model_name: {name}\n    litellm_params: {{{parameters}}}\n{more}"


def outcome(report: Report, path: str) -> Outcome:
    (found,) = {finding.outcome for finding in report.findings if finding.path == path}
    return found


def test_the_result_is_what_a_server_runs_on(catalog: Catalog, tmp_path: Path) -> None:
    document, _ = imported(CONFIG, catalog)
    file = tmp_path / "interchange.yaml"
    with file.open("w") as opened:
        YAML().dump(document, opened)
    variables = variables_of(document)
    environ = dict.fromkeys(variables, "http://127.0.0.1:9/v1")

    loaded = load_settings(environ, config_path=file)
    provided = provision(loaded.settings, catalog, environ)

    assert variables == ("AZURE_API_KEY", "GROQ_API_KEY", "OPENAI_API_KEY", "VLLM_URL")
    assert {"gpt-4o", "gpt-4", "claude", "embed", "named", "local-llama"} <= provided.routes.keys()
    assert provided.providers["vllm"].base_url == "http://127.0.0.1:9/v1"
    first = provided.routes["gpt-4o"]
    assert [(m.target.id, m.weight, m.priority) for m in first.targets] == [
        ("openai/gpt-4o", 3.0, 1),
        ("azure/gpt-4o-eastus", 1.0, 999),
        ("anthropic/claude-sonnet-4-5", 1.0, 1000),
    ]
    assert (first.strategy, first.retries, first.timeouts.total_s) == ("weighted", 2, 120.0)


def test_every_field_of_the_file_is_told_with_its_line(catalog: Catalog) -> None:
    _, report = imported(CONFIG, catalog)
    told = {finding.line for finding in report.findings}
    lines = CONFIG.splitlines()
    silent = {
        "api_key", "api_base", "api_version", "model_name", "mode", "litellm_params", "model_info",
        "budget_duration", "litellm_credential_name", "credential_name", "credential_values", "model",
    }  # fmt: skip
    untold = [
        f"{number}: {line}"
        for number, line in enumerate(lines, 1)
        if number not in told
        and line[:1] in (" ", "-")
        and not any(line.strip().removeprefix("- ").startswith(f"{name}:") for name in silent)
    ]
    assert untold == []


def test_what_cannot_be_taken_is_said_and_not_guessed(catalog: Catalog) -> None:
    document, report = imported(CONFIG, catalog)

    assert "odd" not in document["routes"]
    assert outcome(report, "model_list[6].litellm_params.model") is Outcome.ATTENTION
    assert outcome(report, "general_settings.master_key") is Outcome.ATTENTION
    assert outcome(report, "router_settings.redis_host") is Outcome.NO_COUNTERPART
    assert outcome(report, "model_list[0].litellm_params.temperature") is Outcome.NO_COUNTERPART
    assert "sk-1234" not in str(document)
    assert sum(report.counts().values()) == len(report.findings)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("openai/gpt-4o", ("openai", "gpt-4o")),
        ("gpt-4o", ("openai", "gpt-4o")),
        ("claude-3-haiku", ("anthropic", "claude-3-haiku")),
        ("azure/o_series/dep", ("azure", "dep")),
        ("bedrock/converse/anthropic.claude-v2", ("aws", "anthropic.claude-v2")),
        ("openrouter/anthropic/claude", ("openrouter", "anthropic/claude")),
        ("gemini/gemini-2.5-flash", ("google", "gemini-2.5-flash")),
        ("vertex_ai/gemini-2.5-flash", ("vertex", "gemini-2.5-flash")),
        ("together_ai/meta/llama", ("together", "meta/llama")),
        ("petals/x", None),
        ("who-knows", None),
    ],
)
def test_a_model_string_is_read_as_litellm_reads_it(text: str, meant: tuple[str, str] | None) -> None:
    found = read_model(text, None)
    assert (found and (found.kind, found.model)) == meant


def test_deployments_with_the_same_account_share_a_provider_and_others_do_not(catalog: Catalog) -> None:
    text = "model_list:\n" + "".join(
        "  - {model_name: m, litellm_params: "
        f"{{model: openai/{model}, api_key: os.environ/{key}, rpm: 5}}}}\n"
        for model, key in (("gpt-4o", "A"), ("gpt-4o-mini", "A"), ("gpt-4o", "B"))
    )
    document, report = imported(text, catalog)

    assert document["providers"]["openai"]["api_key"] == "${A}"
    assert document["providers"]["openai-2"]["keys"] == [{"key": "${B}", "rpm": 5}]
    assert [target["target"] for target in document["routes"]["m"]["targets"]] == [
        "openai/gpt-4o",
        "openai/gpt-4o-mini",
        "openai-2/gpt-4o",
    ]
    told = {f.path: f.message for f in report.findings if f.outcome is Outcome.ATTENTION}
    assert {f"model_list[{place}].litellm_params.rpm" for place in (0, 1)} <= told.keys()


def test_the_same_target_twice_counts_with_both_weights(catalog: Catalog) -> None:
    one = "{model_name: m, litellm_params: {model: openai/gpt-4o, weight: 2}}"
    document, _ = imported(f"model_list:\n  - {one}\n  - {one}\n", catalog)

    assert document["routes"]["m"]["targets"] == [{"target": "openai/gpt-4o", "weight": 4.0}]


def test_a_fallback_never_comes_before_the_groups_own_targets(catalog: Catalog) -> None:
    text = (
        "model_list:\n"
        "  - {model_name: a, litellm_params: {model: openai/gpt-4o, order: 2}}\n"
        "  - {model_name: b, litellm_params: {model: openai/gpt-4o-mini, order: 1}}\n"
        "router_settings: {routing_strategy: cost-based-routing}\n"
        "litellm_settings: {default_fallbacks: [b], fallbacks: [{b: [nobody]}]}\n"
    )
    document, report = imported(text, catalog)

    assert [t["priority"] for t in document["routes"]["a"]["targets"]] == [2, 1001]
    assert document["routes"]["a"]["strategy"] == "priority"
    assert document["routes"]["b"]["strategy"] == "cost"
    assert any("no group" in finding.message for finding in report.findings)


def test_what_would_keep_the_server_from_starting_is_taken_out_and_told(catalog: Catalog) -> None:
    text = (
        "model_list:\n"
        "  - {model_name: a, litellm_params: {model: openai/gpt-4o, api_base: 'not an address'}}\n"
        "  - {model_name: a, litellm_params: {model: anthropic/claude-sonnet-4-5}}\n"
        "  - {model_name: b, litellm_params: {model: databricks/x}}\n"
    )
    document, report = imported(text, catalog)

    assert list(document["providers"]) == ["anthropic"]
    assert [t["target"] for t in document["routes"]["a"]["targets"]] == ["anthropic/claude-sonnet-4-5"]
    assert "b" not in document["routes"]
    assert sum("is left out" in finding.message for finding in report.findings) == 2


def test_text_that_looks_like_our_references_stays_text(catalog: Catalog) -> None:
    document, _ = imported(deployment("model: openai/gpt-4o, api_key: 'a${HOME}b'"), catalog)

    assert document["providers"]["openai"]["api_key"] == "a$${HOME}b"
    assert variables_of(document) == ()


def test_prices_per_token_are_exact_per_million(catalog: Catalog) -> None:
    document, _ = imported(
        deployment("model: openai/mine, input_cost_per_token: 1.5e-7, output_cost_per_token: '0.0000006'"),
        catalog,
    )
    assert document["providers"]["openai"]["models"]["mine"] == {
        "input_usd_per_mtok": "0.15",
        "output_usd_per_mtok": "0.6",
    }


@pytest.mark.parametrize(
    "text", ["", "a: [", "- 1", "model_list: 5", "model_list: [1, {model_name: x}]", "router_settings: []"]
)
def test_whatever_the_file_holds_there_is_a_report(text: str, catalog: Catalog) -> None:
    try:
        document, report = imported(text, catalog)
    except InvalidRequest as error:
        assert "config.yaml" in error.message
    else:
        assert "providers" not in document
        assert report.counts()["needs_attention"]


def test_periods() -> None:
    assert [period_of(text) for text in ("30d", "1d", "7d", "1h", None, "45d")] == [
        "month", "day", "week", "hour", "total", None,
    ]  # fmt: skip


def test_the_bundled_book_is_the_one_the_server_uses(catalog: Catalog) -> None:
    assert BundledPriceBook.name
    assert len(catalog.offerings) > 1000
