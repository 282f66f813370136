"""`litellm_settings.cache` and `cache_params`: what of them becomes the general `cache` section."""

from collections.abc import Mapping
from typing import Any, Final

from domain.caching.policy import TTL_S_MAX
from entrypoints.litellm.draft import Draft, number, truth
from entrypoints.litellm.report import Report

CACHE_KEYS: Final = frozenset({"cache", "cache_params"})
_OWN_STORES: Final = frozenset({"local", "redis"})
_CONNECTION: Final = frozenset(
    {"host", "port", "password", "username", "url", "ssl", "redis_url", "redis_startup_nodes"}
    | {"service_name", "sentinel_nodes", "sentinel_password"}
)
_SEMANTIC: Final = "-semantic"


def read_caching(name: str, section: Mapping[str, Any], draft: Draft, report: Report) -> None:
    """Takes both keys of a section; what they say is off stays off."""
    path = (name, "cache")
    raw = section.get("cache_params")
    params: Mapping[str, Any] = raw if isinstance(raw, Mapping) else {}
    if not truth(section.get("cache")):
        for key in CACHE_KEYS & section.keys():
            report.taken((name, key), "nothing is cached")
        return
    if params.get("mode") == "default_off":
        report.attention(
            path,
            "was off but for requests that asked for it; here a route's `cache.mode` decides, and it is off",
        )
        for key in params:
            report.no_counterpart((name, "cache_params", str(key)), "nothing is cached")
        return
    kind = str(params.get("type") or "local")
    semantic = kind.endswith(_SEMANTIC)
    draft.set("cache", "mode", "verified" if semantic else "exact")
    report.changed(
        path,
        "cache.mode, for all routes; answers are shared within a tenant, and whatever could change one is "
        "part of the key",
    )
    for key, value in params.items():
        _parameter((name, "cache_params", str(key)), kind, value, draft, report)


def _parameter(path: tuple[str, str, str], kind: str, value: Any, draft: Draft, report: Report) -> None:
    key = path[-1]
    if key == "type" and kind.endswith(_SEMANTIC):
        report.changed(path, "cache.mode: verified; likeness only picks candidates, see docs/caching.md")
    elif key == "type" and kind in _OWN_STORES:
        report.taken(path, "memory, then Redis where REDIS_URL names one, else a file of the data directory")
    elif key == "type":
        report.changed(path, "kept in memory, then in Redis or a file of the data directory")
    elif key == "ttl":
        _number(path, value, TTL_S_MAX, "ttl_s", draft, report)
    elif key == "similarity_threshold":
        _number(path, value, 1, "similarity_threshold", draft, report)
    elif key in _CONNECTION or key.startswith("redis_"):
        report.attention(path, "not taken: name the server with REDIS_URL or REDIS_CLUSTER_URLS")
    elif key == "namespace":
        report.no_counterpart(
            path, "a route's `cache.namespace`, or x-interchange-cache-namespace of a request"
        )
    elif key == "supported_call_types":
        report.changed(path, "chat, completions, embeddings, rerank and moderation; the rest is never cached")
    elif key.endswith("embedding_model"):
        report.attention(
            path, "not taken: `cache.embedder`; after `interchange models install` none is called"
        )
    elif key == "mode":
        report.taken(path, "cache.mode")
    else:
        report.no_counterpart(path, "not read")


def _number(
    path: tuple[str, str, str], value: Any, most: float, name: str, draft: Draft, report: Report
) -> None:
    read = number(value)
    if read is None or not 0 < read <= int(most):
        report.attention(path, f"not taken: cache.{name} must be above 0, at most {most:.0f}")
        return
    draft.set("cache", name, float(read))
    report.taken(path, f"cache.{name}")
