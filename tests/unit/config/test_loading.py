"""File, environment and flags become one configuration, or a list of everything that is wrong."""

import json
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import SecretStr

from domain.caching.policy import CacheMode
from domain.llm.capabilities import Capability
from domain.routing.target import StreamRecovery, Via
from domain.time import Timeouts
from entrypoints.config.environment import VARIABLES
from entrypoints.settings import ConfigError, LoadedSettings, load_settings
from tests.unit.config.telling_variables import TELLING

SPECIFIED = """\
portkey: {gateways: ["http://127.0.0.1:8787"]}
providers:
  acme:
    kind: openai
    base_url: http://127.0.0.1:9001/v1
    api_key: ${ACME_KEY}
    via: auto
    region: eu-west
    models:
      small: {input_usd_per_mtok: 0.1, output_usd_per_mtok: 0.4, context_tokens: 128000, \
max_output_tokens: 8192, quality: 0.6, capabilities: [text, streaming, function_calling]}
      large: {input_usd_per_mtok: 3, output_usd_per_mtok: 15, cached_input_usd_per_mtok: 0.3, \
context_tokens: 200000, quality: 0.9, capabilities: [text, vision], prefill: false}
routes:
  assistant:
    strategy: balanced
    targets: [acme/small, {target: acme/large, weight: 1}]
    max_fallbacks: 3
    retries: 2
    timeouts: {connect_s: 5, first_token_s: 120, idle_s: 120, total_s: 600}
    stream_recovery: error
    cache: {mode: "off"}
budgets:
  - {name: team-month, scope: {tenant: default}, period: month, limit_usd: 100, hard: true, \
alert_at: [0.8, 0.9, 1.0]}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "i.yaml"


def load(file: Path, text: str, **environ: str) -> LoadedSettings:
    file.write_text(text)
    return load_settings(environ, config_path=file)


def errors(file: Path, text: str, **environ: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(file, text, **environ)
    return [str(problem).removeprefix(f"{file}:") for problem in caught.value.problems]


def test_the_published_example_is_read_as_published(file: Path) -> None:
    loaded = load(file, SPECIFIED, ACME_KEY="secret")
    acme, assistant = loaded.settings.providers["acme"], loaded.settings.routes["assistant"]

    assert loaded.settings.portkey.gateways == ("http://127.0.0.1:8787",)
    assert acme.api_key is not None and acme.api_key.get_secret_value() == "secret"
    assert (acme.kind, acme.via, acme.region) == ("openai", Via.AUTO, "eu-west")
    assert acme.models["large"].capability_mask == Capability.TEXT | Capability.VISION
    assert acme.models["large"].prefill is False
    assert [(t.target, t.provider, t.model, t.weight) for t in assistant.targets] == [
        ("acme/small", "acme", "small", 1.0),
        ("acme/large", "acme", "large", 1.0),
    ]
    assert assistant.stream_recovery is StreamRecovery.ERROR
    assert loaded.settings.timeouts_of(assistant) == Timeouts()


def test_prices_are_exact(file: Path) -> None:
    text = "providers: {p: {models: {m: {input_usd_per_mtok: 0.1, output_usd_per_mtok: 0.123456789}}}}"
    prices = load(file, text).settings.providers["p"].models["m"].prices()

    assert prices is not None
    assert (prices.base.input, prices.base.output) == (100_000_000, 123_456_789)
    assert (prices.source, prices.known) == ("config", True)


def test_a_model_without_prices_has_no_price_table(file: Path) -> None:
    settings = load(file, "providers: {p: {models: {m: {quality: 0.5}}}}").settings

    assert settings.providers["p"].models["m"].prices() is None
    assert settings.providers["p"].models["m"].capability_mask is None


def test_tiers_are_sorted_by_their_threshold(file: Path) -> None:
    text = (
        "providers: {p: {models: {m: {input_usd_per_mtok: 1, output_usd_per_mtok: 2, tiers: ["
        "{above_input_tokens: 200, input_usd_per_mtok: 4}, {above_input_tokens: 100}]}}}}"
    )
    prices = load(file, text).settings.providers["p"].models["m"].prices()

    assert prices is not None
    assert [tier.above_input_tokens for tier in prices.tiers] == [100, 200]


@pytest.mark.parametrize("word", ["off", "Off", "OFF", '"off"'])
def test_a_bare_off_is_a_mode_where_a_mode_is_expected(file: Path, word: str) -> None:
    text = f"providers: {{p: {{}}}}\nroutes: {{r: {{targets: [p/m], cache: {{mode: {word}}}}}}}"

    assert load(file, text).settings.routes["r"].cache.mode is CacheMode.OFF


@pytest.mark.parametrize(
    ("word", "meaning"), [("off", False), ("no", False), ("on", True), ("yes", True), ("true", True)]
)
def test_a_bare_off_is_false_where_a_boolean_is_expected(file: Path, word: str, meaning: bool) -> None:
    assert load(file, f"telemetry: {{tracing_enabled: {word}}}").settings.telemetry.tracing_enabled is meaning


def test_every_mistake_is_reported_at_once_with_its_place(file: Path) -> None:
    text = """\
portkey: {gatway: []}
providers:
  acme:
    base_url: localhost
    models: {m: {capabilities: [txt], context_tokens: 0}}
routes:
  r: {targets: [acme], retries: many, strategy: best, cache: {mode: on}}
server: {port: 99999}
"""

    assert errors(file, text) == [
        "1:11: portkey.gatway: unknown key; did you mean 'gateways'? (allowed: gateways, api_key, managed)",
        "4:15: providers.acme.base_url: must be an http:// or https:// address, not 'localhost'",
        "5:33: providers.acme.models.m.capabilities[0]: unknown capability 'txt'; allowed: text, vision, "
        "audio_in, audio_out, image, embeddings, code, function_calling, structured_output, streaming, "
        "reasoning, long_context, rerank, fine_tuned",
        "5:55: providers.acme.models.m.context_tokens: must be at least 1, not '0'",
        "7:17: routes.r.targets[0]: must be `provider/model`, not 'acme'",
        "7:33: routes.r.retries: must be a whole number, not 'many'",
        "7:49: routes.r.strategy: must be one of 'balanced', 'cost', 'latency', 'quality', 'priority', "
        "'weighted', 'geographic' or 'cost_per_quality', not 'best'",
        "7:69: routes.r.cache.mode: must be one of 'off', 'observe', 'exact', 'verified' or 'threshold', "
        "not 'on'",
        "8:16: server.port: must be at most 65535, not '99999'",
    ]


def test_a_missing_key_is_reported_at_its_section(file: Path) -> None:
    assert errors(file, "routes:\n  chat: {retries: 1}\n") == ["2:3: routes.chat.targets: is required"]


def test_an_unset_variable_does_not_hide_the_other_mistakes(file: Path) -> None:
    found = errors(file, "providers: {p: {api_key: ${NOPE}, kindd: x}}")

    assert len(found) == 2
    assert "NOPE is not set" in found[0] and "did you mean 'kind'?" in found[1]


def test_a_secret_never_stands_in_a_message(file: Path) -> None:
    text = (
        "providers: {p: {api_key: [s3cr3t], base_url: ${URL}, headers: {x: s3cr3t}, keys: [{key: s3cr3t}]}}"
    )
    with pytest.raises(ConfigError) as caught:
        load(file, text, URL="s3cr3t")

    assert "s3cr3t" not in str(caught.value)


def test_a_secret_never_stands_in_the_settings_text(file: Path) -> None:
    text = "providers: {p: {keys: [{key: s3cr3t}], headers: {authorization: s3cr3t}}}"
    loaded = load(file, text, PORTKEY_API_KEY="s3cr3t", DATABASE_URL="postgresql://u:s3cr3t@h/d")

    assert "s3cr3t" not in repr(loaded)
    assert "s3cr3t" not in json.dumps(loaded.settings.model_dump(mode="json"))


def test_the_file_wins_over_the_environment(file: Path) -> None:
    text = "server: {port: 1234}\nportkey: {gateways: [http://a]}"
    settings = load(file, text, PORT="99", HOST="0.0.0.0", PORTKEY_GATEWAY_URL="http://b,http://c").settings

    assert (settings.server.port, settings.server.host) == (1234, "0.0.0.0")
    assert settings.portkey.gateways == ("http://a",)


def test_flags_win_over_the_file_and_reach_workers_as_json(file: Path) -> None:
    file.write_text("server: {port: 1234, workers: 2}")
    direct = load_settings({}, config_path=file, flags={"server": {"port": 5}}).settings
    handed_on = load_settings({"INTERCHANGE_FLAGS": '{"server": {"port": 5}}'}, config_path=file).settings

    assert direct == handed_on
    assert (direct.server.port, direct.server.workers) == (5, 2)


def test_every_variable_sets_its_key() -> None:
    samples = {
        "HOST": ("0.0.0.0", "0.0.0.0"),
        "PORT": ("81", 81),
        "INTERCHANGE_WORKERS": ("3", 3),
        "INTERCHANGE_USAGE_WRITER": ("thread", "thread"),
        "INTERCHANGE_PROFILE": ("production", "production"),
        "INTERCHANGE_DATA_DIR": ("/srv/i", Path("/srv/i")),
        "INTERCHANGE_BOOTSTRAP_KEY_FILE": ("/srv/k", Path("/srv/k")),
        "INTERCHANGE_SIMULATOR": ("off", False),
        "INTERCHANGE_PORTKEY": ("off", False),
        "PORTKEY_GATEWAY_URL": ("http://a, http://b", ("http://a", "http://b")),
        "REDIS_URL": ("redis://secret", "redis://secret"),
        "REDIS_CLUSTER_URLS": ("redis://a,redis://b", (SecretStr("redis://a"), SecretStr("redis://b"))),
        "COST_OPTIMIZATION_ENABLED": ("false", False),
        "CACHE_TTL_SECONDS": ("60", 60.0),
        "SEMANTIC_CACHE_SIMILARITY_THRESHOLD": ("0.5", 0.5),
        "ENABLE_L2_CACHE": ("no", False),
        "MAX_CONCURRENT_REQUESTS": ("10000", 10_000),
        "PROVIDER_TIMEOUT_SECONDS": ("7.5", 7.5),
        "BUDGET_ALERT_THRESHOLD": ("0.7", 0.7),
        "ENABLE_TRACING": ("false", False),
        **TELLING,
        "ENABLE_METRICS": ("0", False),
        "METRICS_PORT": ("9090", 9090),
        "INTERCHANGE_METRICS_HOST": ("0.0.0.0", "0.0.0.0"),
        "INTERCHANGE_METRICS_NETWORKS": ("10.0.0.0/8, ::1", ("10.0.0.0/8", "::1")),
    }
    samples["INTERCHANGE_CACHE_KEY"] = ("ab" * 32, "ab" * 32)
    secrets = {"PORTKEY_API_KEY", "DATABASE_URL", "REDIS_URL", "INTERCHANGE_CACHE_KEY"}
    assert {variable.name for variable in VARIABLES} == set(samples) | secrets

    for variable in VARIABLES:
        text, expected = samples.get(variable.name, ("secret", "secret"))
        here: object = load_settings({variable.name: text}).settings
        for part in variable.path:
            here = getattr(here, part)
        value = here.get_secret_value() if variable.name in secrets else here  # type: ignore[attr-defined]
        assert value == expected, variable.name


def test_published_defaults_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings({"PORT": ""}).settings

    assert (settings.server.host, settings.server.port, settings.server.workers) == ("127.0.0.1", 8080, 1)
    assert settings.limits.max_concurrent_requests == 1000
    assert settings.limits.max_body_bytes == 32 * 1024 * 1024
    assert settings.limits.provider_timeout_s == 30
    assert (settings.cache.ttl_s, settings.cache.similarity_threshold) == (3600, 0.9)
    assert (settings.breaker.consecutive_failures, settings.breaker.open_s) == (5, 30)
    assert settings.data_dir == tmp_path / ".interchange"
    assert settings.key_file == tmp_path / ".interchange" / "admin.key"
    assert settings.runs_gateway and settings.runs_simulator


def test_a_wrong_variable_is_reported_by_its_name() -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings({"PORT": "http"})

    assert str(caught.value) == "environment: PORT: must be a whole number, not 'http'"


def test_a_file_beside_us_is_found_and_a_named_one_must_exist(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "interchange.yaml").write_text("server: {port: 77}")

    loaded = load_settings({})

    assert loaded.settings.server.port == 77
    assert loaded.config_file == tmp_path / "interchange.yaml"
    with pytest.raises(ConfigError, match="no such file"):
        load_settings({"INTERCHANGE_CONFIG": "absent.yaml"})


def test_a_provider_is_of_its_own_kind_unless_it_says_otherwise(file: Path) -> None:
    settings = load(file, "providers: {mistral: {}, openai: , Mine: {kind: openai}}").settings

    assert {name: p.kind for name, p in settings.providers.items()} == {
        "mistral": "mistral",
        "openai": "openai",
        "Mine": "openai",
    }


def test_a_target_of_an_undeclared_provider_is_an_error_when_it_looks_like_a_typo(file: Path) -> None:
    assert errors(file, "providers: {acme: {}}\nroutes: {r: {targets: [acne/m]}}") == [
        "2:24: routes.r.targets[0]: provider 'acne' is not declared under `providers`; did you mean 'acme'?"
    ]


def test_a_target_of_an_undeclared_provider_is_an_error_in_production(file: Path) -> None:
    text = "profile: production\nroutes: {r: {targets: [openai/gpt]}}"

    assert "is not declared" in errors(file, text)[0]


def test_simulated_providers_need_no_declaration_where_they_run(file: Path) -> None:
    assert load(file, "routes: {r: {targets: [sim-openai/small]}}").warnings == ()


def test_a_target_of_an_undeclared_provider_is_a_warning_in_the_embedded_profile(file: Path) -> None:
    loaded = load(file, "routes: {r: {targets: [openai/gpt]}}")

    assert "only while a key in the environment" in str(loaded.warnings[0])


def test_nothing_is_simulated_beside_named_providers_unless_asked_for(file: Path) -> None:
    assert not load(file, "providers: {p: {}}").settings.runs_simulator
    assert load(file, "providers: {p: {}}\nsimulator: {enabled: on}").settings.runs_simulator
    assert not load(file, "profile: production").settings.runs_simulator


def test_a_gateway_of_our_own_runs_only_when_no_other_is_named(file: Path) -> None:
    assert load(file, "").settings.runs_gateway
    assert not load(file, "portkey: {gateways: [http://g]}").settings.runs_gateway
    assert not load(file, "", PORTKEY_API_KEY="k").settings.runs_gateway
    assert load(file, "portkey: {gateways: [http://g], managed: yes}").settings.runs_gateway


def test_a_provider_overrides_only_the_breaker_keys_it_names(file: Path) -> None:
    text = "breaker: {open_s: 9, window_s: 7}\nproviders: {p: {breaker: {open_s: 1}, health: {window_s: 60}}}"
    settings = load(file, text).settings

    assert (settings.breaker_of("p").open_s, settings.breaker_of("p").window_s) == (1, 7)
    assert settings.breaker_of("other").open_s == 9
    assert settings.health_of("p").window_s == 60
    assert settings.health_of("other").window_s == 300


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("providers: {p: {api_key: a, keys: [{key: b}]}}", "either api_key or keys"),
        ('providers: {p: {headers: {"x y": b}}}', "not a header name"),
        ('providers: {p: {headers: {x: "a\\nb"}}}', "contains a line break"),
        ("budgets: [{name: a, scope: {galaxy: x}, period: day, limit_usd: 1}]", "must be one of 'tenant'"),
        ("budgets: [{name: a, scope: {}, period: day, limit_usd: 1}]", "at least 1 entries"),
        (
            "budgets: [&b {name: a, scope: {tenant: x}, period: day, limit_usd: 1}, *b]",
            "given more than once: a",
        ),
        (
            "budgets: [{name: a, scope: {tenant: x}, period: total, rolling: on, limit_usd: 1}]",
            "no rolling window",
        ),
        (
            "budgets: [{name: a, scope: {tenant: x}, period: day, limit_usd: 1, alert_at: [1, 0.5]}]",
            "must rise",
        ),
        ("budgets: [{name: a, scope: {tenant: x}, period: day, limit_usd: nan}]", "must be a finite number"),
        ("routes: {a/b: {targets: [p/m]}}", "this name must be letters"),
        ("routes: []", "must be a mapping"),
        ("providers: {p: {models: {m: {deprecated_on: soon}}}}", "YYYY-MM-DD"),
        ("routes: {r: {targets: []}}", "at least 1 entries"),
    ],
)
def test_contradictions_are_refused_with_a_sentence(file: Path, text: str, message: str) -> None:
    assert message in "\n".join(errors(file, text))


def test_a_budget_keeps_its_exact_limit(file: Path) -> None:
    text = "budgets: [{name: a, scope: {tenant: x}, period: day, limit_usd: 0.1}]"

    assert load(file, text).settings.budgets[0].limit_usd == Decimal("0.1")


def test_redis_is_one_server_or_a_cluster_by_addresses_that_are_some() -> None:
    one = {"DATABASE_URL": "postgresql://h/d", "REDIS_URL": "rediss://h"}
    assert load_settings(one).warnings == ()

    with pytest.raises(ConfigError, match="not both"):
        load_settings({**one, "REDIS_CLUSTER_URLS": "redis://a,redis://b"})
    with pytest.raises(ConfigError, match="REDIS_CLUSTER_URLS: must begin with redis://"):
        load_settings({"REDIS_CLUSTER_URLS": "redis://a,b:6379"})


def test_flags_that_are_no_json_are_an_error() -> None:
    with pytest.raises(ConfigError, match="INTERCHANGE_FLAGS: must be a JSON object"):
        load_settings({"INTERCHANGE_FLAGS": "port=1"})
    with pytest.raises(ConfigError, match=r"command line: server\.port"):
        load_settings({}, flags={"server": {"port": -1}})


def test_a_file_that_is_no_text_is_an_error(file: Path) -> None:
    file.write_bytes(b"\xff\xfe\x00a")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_settings({}, config_path=file)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_settings({}, config_path=file.parent)


def test_passwords_of_a_cluster_are_in_no_representation() -> None:
    settings = load_settings({"REDIS_CLUSTER_URLS": "redis://:hidden@a,redis://:hidden@b"}).settings

    assert settings.storage.cluster_urls == ("redis://:hidden@a", "redis://:hidden@b")
    assert "hidden" not in repr(settings)
    assert "hidden" not in str(settings.model_dump())
    assert "hidden" not in settings.model_dump_json()
