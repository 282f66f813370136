"""What is wrong, risky or without effect about caching, each told at the key that says it."""

from collections.abc import Container, Iterable, Iterator
from typing import Final

from domain.caching.policy import TTL_S_MAX, CacheMode, CachePolicy, CacheScope
from entrypoints.config.cache_sections import (
    BUILT_IN_JUDGES,
    HASHING,
    LOCAL_EMBEDDERS,
    CacheSettings,
    cache_policy,
)
from entrypoints.config.problems import ConfigPath, Finding
from entrypoints.config.root import Settings

MINILM_FOLDER: Final = "minilm-l6-v2"
_OF_SIMILAR: Final = (
    "error_rate",
    "audit_share",
    "shadow_usd_per_day",
    "similarity_threshold",
    "history_max",
)


def cache_findings(settings: Settings) -> Iterator[Finding]:
    """Errors first, then whatever deserves a word."""
    yield from _stores(settings)
    yield from _lives(settings)
    policies = {name: cache_policy(settings.cache, route.cache) for name, route in settings.routes.items()}
    general = cache_policy(settings.cache)
    yield from _mode(("cache", "mode"), general)
    for name, route in settings.routes.items():
        path: ConfigPath = ("routes", name, "cache")
        if route.cache.mode is not None:
            yield from _mode((*path, "mode"), policies[name])
        yield from _without_effect(path, route.cache, policies[name])
        if (
            policies[name].mode is not CacheMode.OFF
            and policies[name].entry_bytes_max > settings.cache.l1_bytes
        ):
            yield Finding((*path, "entry_bytes_max"), "larger than all of `cache.l1_bytes`")
    if any(policy.mode.looks_for_similar for policy in (general, *policies.values())):
        yield from _similar(settings)


def unknown_embedder(embedder: str, providers: Container[str], policies: Iterable[CachePolicy]) -> str:
    """What to say when questions are to be compared by a provider that a server would not have; else nothing.

    Apart from the rest, as only the catalogue knows which providers a key in the environment activates.
    """
    provider = embedder.partition("/")[0]
    if embedder in LOCAL_EMBEDDERS or provider in providers:
        return ""
    if not any(policy.mode.looks_for_similar for policy in policies):
        return ""
    return (
        f"cache.embedder: provider {provider!r} is neither declared under `providers` nor activated by a key "
        "in the environment, so no similar questions are looked for"
    )


def _stores(settings: Settings) -> Iterator[Finding]:
    cache, storage = settings.cache, settings.storage
    try:
        cache.seal_key()
    except ValueError as error:
        yield Finding(("cache", "l2_key"), str(error), True)
    redis = storage.redis_url is not None or bool(storage.redis_cluster_urls)
    if cache.vector_index == "redis" and not redis:
        yield Finding(("cache", "vector_index"), "`redis` takes `storage.redis_url` or REDIS_URL", True)
    url = "" if storage.database_url is None else storage.database_url.get_secret_value()
    if cache.vector_index == "pgvector" and not url.startswith("postgres"):
        yield Finding(
            ("cache", "vector_index"),
            "`pgvector` takes a PostgreSQL database in `storage.database_url`",
            True,
        )


def _lives(settings: Settings) -> Iterator[Finding]:
    for name, route in settings.routes.items():
        policy = cache_policy(settings.cache, route.cache)
        if policy.ttl_s + max(policy.stale_s, policy.stale_if_error_s) > TTL_S_MAX:
            yield Finding(
                ("routes", name, "cache"),
                "`ttl_s` and the longer of `stale_s` and `stale_if_error_s` must be at most "
                f"{TTL_S_MAX:.0f} s (90 days) together",
                True,
            )


def _mode(path: ConfigPath, policy: CachePolicy) -> Iterator[Finding]:
    if policy.mode is CacheMode.THRESHOLD:
        yield Finding(
            path,
            "`threshold` answers by likeness alone, and a quarter to a half of questions that look alike but "
            "mean something else get a wrong answer at 0.9; `verified` keeps those below `error_rate`",
        )


def _without_effect(path: ConfigPath, own: CacheSettings, policy: CachePolicy) -> Iterator[Finding]:
    if own.scope is CacheScope.USER and policy.mode is not CacheMode.OFF:
        yield Finding(
            (*path, "scope"),
            "requests that name no user in x-interchange-user-id are not cached on this route",
        )
    given = own.model_fields_set
    if policy.mode is CacheMode.OFF:
        if given - {"mode"}:
            yield Finding(path, "nothing of this has an effect while the mode is `off`")
        return
    if not policy.mode.looks_for_similar:
        idle = [name for name in _OF_SIMILAR if name in given]
    else:
        idle = [name for name in ("error_rate",) if name in given and policy.mode is CacheMode.THRESHOLD]
    for name in idle:
        yield Finding((*path, name), f"has no effect in mode `{policy.mode.value}`")


def _similar(settings: Settings) -> Iterator[Finding]:
    cache = settings.cache
    if cache.embedder in LOCAL_EMBEDDERS and cache.embedder != HASHING and not _installed(settings):
        yield Finding(
            ("cache", "embedder"),
            f"the MiniLM model is not installed in {cache.precision}, so "
            + (
                "only questions of nearly the same words are found"
                if cache.embedder == "auto"
                else "no similar questions are looked for"
            )
            + "; `interchange models install` fetches it",
        )
    for place, judge in enumerate(cache.judge):
        if judge not in BUILT_IN_JUDGES and judge not in settings.routes:
            yield Finding(
                ("cache", "judge", place),
                f"{judge!r} is neither {' nor '.join(BUILT_IN_JUDGES)} nor a route of this file",
            )


def _installed(settings: Settings) -> bool:
    folder = settings.cache.models_dir or settings.data_dir / "models"
    return (folder / MINILM_FOLDER / settings.cache.precision).is_dir()
