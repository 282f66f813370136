"""Caching as the file says it: a route's own keys, the general ones, and what is told about both."""

import base64
import dataclasses
from pathlib import Path

import pytest

from domain.caching.policy import CacheMode, CachePolicy, CacheScope
from entrypoints.config.cache_sections import CacheDefaults, CacheSettings, cache_policy
from entrypoints.config.reload import merged, restart_only
from entrypoints.settings import ConfigError, Settings, load_settings

PROVIDERS = "providers: {p: {kind: openai, base_url: http://127.0.0.1:1}}\n"
KEY = base64.b64encode(bytes(range(32))).decode()


def settings_of(tmp_path: Path, text: str, **environ: str) -> Settings:
    file = tmp_path / "i.yaml"
    file.write_text(PROVIDERS + text)
    return load_settings({"INTERCHANGE_DATA_DIR": str(tmp_path), **environ}, config_path=file).settings


def told(tmp_path: Path, text: str, **environ: str) -> list[str]:
    """Warnings, or what keeps it from being used."""
    file = tmp_path / "i.yaml"
    file.write_text(PROVIDERS + text)
    try:
        problems = load_settings(
            {"INTERCHANGE_DATA_DIR": str(tmp_path), **environ}, config_path=file
        ).warnings
    except ConfigError as error:
        problems = error.problems
    return [f"{problem.path}: {problem.message}" for problem in problems]


def route(cache: str, general: str = "{}") -> str:
    return f"cache: {general}\nroutes: {{r: {{targets: [p/m], cache: {cache}}}}}\n"


def test_a_route_can_say_everything_there_is_to_a_policy() -> None:
    assert set(CacheSettings.model_fields) == {field.name for field in dataclasses.fields(CachePolicy)}


def test_nothing_said_is_no_cache_and_the_domains_own_defaults() -> None:
    assert cache_policy(CacheDefaults(), CacheSettings()) == CachePolicy()
    assert cache_policy(CacheDefaults()) == CachePolicy()


def test_a_routes_keys_go_before_the_general_ones(tmp_path: Path) -> None:
    text = route(
        "{mode: Verified, stale_s: 30, scope: user, tags: [faq], error_rate: 0.05}",
        "{mode: exact, ttl_s: 60, similarity_threshold: 0.8, error_rate: 0.02}",
    )
    settings = settings_of(tmp_path, text)

    policy = cache_policy(settings.cache, settings.routes["r"].cache)

    assert policy == CachePolicy(
        mode=CacheMode.VERIFIED,
        ttl_s=60,
        stale_s=30,
        scope=CacheScope.USER,
        tags=("faq",),
        error_rate=0.05,
        similarity_threshold=0.8,
    )
    assert cache_policy(settings.cache).mode is CacheMode.EXACT


@pytest.mark.parametrize("word", ["off", "Off", "false", '"off"'])
def test_a_route_turns_the_general_cache_off_however_yaml_reads_the_word(tmp_path: Path, word: str) -> None:
    text = route(f"{{mode: {word}}}", "{mode: exact}")
    if word == "false":
        assert "must be one of 'off', 'observe'" in told(tmp_path, text)[0]
        return
    settings = settings_of(tmp_path, text)

    assert cache_policy(settings.cache, settings.routes["r"].cache).mode is CacheMode.OFF


def test_the_environment_says_what_the_file_does_not(tmp_path: Path) -> None:
    environ = {"CACHE_TTL_SECONDS": "7776000", "SEMANTIC_CACHE_SIMILARITY_THRESHOLD": "0.95"}
    settings = settings_of(tmp_path, route("{mode: exact}"), **environ, ENABLE_L2_CACHE="false")

    policy = cache_policy(settings.cache, settings.routes["r"].cache)

    assert (policy.ttl_s, policy.similarity_threshold, settings.cache.l2_enabled) == (7_776_000, 0.95, False)


@pytest.mark.parametrize(
    ("cache", "key"),
    [
        ("{ttl_s: 7776001}", "ttl_s"),
        ("{ttl_s: 0}", "ttl_s"),
        ("{error_rate: 0}", "error_rate"),
        ("{error_rate: 1}", "error_rate"),
        ("{similarity_threshold: 1.1}", "similarity_threshold"),
        ("{scope: everyone}", "scope"),
        ("{namespace: 'a b'}", "namespace"),
        ("{tags: ['a,b']}", "tags[0]"),
        ("{temperature_max: 3}", "temperature_max"),
        ("{audit_share: 2}", "audit_share"),
        ("{shadow_usd_per_day: -1}", "shadow_usd_per_day"),
        ("{entry_bytes_max: 1}", "entry_bytes_max"),
    ],
)
def test_what_is_out_of_bounds_is_refused_where_it_stands(tmp_path: Path, cache: str, key: str) -> None:
    (problem,) = told(tmp_path, route(cache))

    assert problem.startswith(f"routes.r.cache.{key}: ")


def test_no_answer_may_live_longer_than_invalidations_are_remembered(tmp_path: Path) -> None:
    (problem,) = told(tmp_path, route("{mode: exact, ttl_s: 7000000, stale_if_error_s: 7000000}"))

    assert "at most 7776000 s (90 days) together" in problem


def test_likeness_alone_is_told_as_the_risk_it_is(tmp_path: Path) -> None:
    found = told(tmp_path, route("{mode: threshold, error_rate: 0.01}", "{embedder: hashing}"))

    assert len(found) == 2
    assert found[0].startswith("routes.r.cache.mode: `threshold`")
    assert "a quarter to a half" in found[0]
    assert found[1] == "routes.r.cache.error_rate: has no effect in mode `threshold`"


def test_a_general_threshold_is_told_once_at_its_own_key(tmp_path: Path) -> None:
    (problem,) = told(tmp_path, route("{}", "{mode: threshold, embedder: hashing}"))

    assert problem.startswith("cache.mode: ")


@pytest.mark.parametrize(
    ("embedder", "consequence"),
    [("auto", "nearly the same words"), ("minilm", "no similar questions are looked for")],
)
def test_a_missing_model_is_told_with_the_command_that_fetches_it(
    tmp_path: Path, embedder: str, consequence: str
) -> None:
    text = route("{mode: observe}", f"{{embedder: {embedder}}}")

    (problem,) = told(tmp_path, text)
    (tmp_path / "models" / "minilm-l6-v2" / "fp32").mkdir(parents=True)
    (still,) = told(tmp_path, text)
    (tmp_path / "models" / "minilm-l6-v2" / "int8").mkdir()

    assert problem.startswith("cache.embedder: ")
    assert consequence in problem
    assert "interchange models install" in problem
    assert "not installed in int8" in still
    assert told(tmp_path, text) == []


def test_exact_caching_needs_no_model_and_says_nothing(tmp_path: Path) -> None:
    assert told(tmp_path, route("{mode: exact, ttl_s: 60}")) == []


def test_answers_of_each_user_need_to_know_the_user(tmp_path: Path) -> None:
    (problem,) = told(tmp_path, route("{mode: exact, scope: user}"))

    assert "x-interchange-user-id" in problem


def test_keys_without_an_effect_are_told(tmp_path: Path) -> None:
    assert told(tmp_path, route("{mode: off, ttl_s: 5}")) == [
        "routes.r.cache: nothing of this has an effect while the mode is `off`"
    ]
    assert told(tmp_path, route("{mode: exact, audit_share: 0.5}")) == [
        "routes.r.cache.audit_share: has no effect in mode `exact`"
    ]


def test_encryption_takes_a_key_of_the_right_size_and_never_shows_it(tmp_path: Path) -> None:
    assert not told(tmp_path, route("{}", "{l2_encrypted: true}")), "the vault has keys"
    (short,) = told(tmp_path, route("{}", "{l2_encrypted: true, l2_key: s3cr3t}"))
    settings = settings_of(tmp_path, route("{}", "{l2_encrypted: true}"), INTERCHANGE_CACHE_KEY=KEY)

    assert short == "cache.l2_key: must be 32 bytes in base64 or hexadecimal"
    assert settings.cache.seal_key() == bytes(range(32))
    assert CacheDefaults.model_validate({"l2_key": bytes(range(32)).hex()}).seal_key() == bytes(range(32))
    assert KEY not in repr(settings)


def test_an_index_needs_its_store(tmp_path: Path) -> None:
    (redis,) = told(tmp_path, route("{}", "{vector_index: redis}"))
    (postgres,) = told(tmp_path, route("{}", "{vector_index: pgvector}"))

    assert "storage.redis_url" in redis
    assert "PostgreSQL" in postgres
    assert told(tmp_path, route("{}", "{vector_index: redis}"), REDIS_URL="redis://127.0.0.1") == []


def test_judges_that_nobody_knows_are_told(tmp_path: Path) -> None:
    general = "{mode: verified, embedder: p/embed, judge: [normalised, r, jury]}"

    found = told(tmp_path, route("{}", general))

    assert [problem.partition(":")[0] for problem in found] == ["cache.judge[2]"]


def test_policies_are_taken_over_while_requests_run_and_stores_are_not(tmp_path: Path) -> None:
    running = settings_of(tmp_path, route("{mode: exact}"))
    wanted = settings_of(tmp_path, route("{mode: off}", "{ttl_s: 5, mode: exact, l1_bytes: 2000000}"))

    found = merged(running, wanted)

    assert found.needs_restart == ("cache.l1_bytes",)
    assert (found.settings.cache.ttl_s, found.settings.cache.l1_bytes) == (5, running.cache.l1_bytes)
    assert cache_policy(found.settings.cache, found.settings.routes["r"].cache).mode is CacheMode.OFF
    live = {f"cache.{name}" for name in CacheDefaults.model_fields} - set(restart_only())
    assert live == {"cache.mode", "cache.ttl_s", "cache.similarity_threshold", "cache.error_rate"}
