"""`router_settings` and its relatives: each group of deployments becomes a route with its fallbacks."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from entrypoints.config.problems import ConfigPath
from entrypoints.litellm.deployments import ROUTE_NAME
from entrypoints.litellm.draft import RETRIES_MAX, Draft, number, seconds, whole
from entrypoints.litellm.report import Report

_STRATEGIES: Final = {
    "simple-shuffle": ("weighted", ""),
    "latency-based-routing": ("latency", ""),
    "lowest-latency": ("latency", ""),
    "cost-based-routing": ("cost", ""),
    "lowest-cost": ("cost", ""),
    "least-busy": ("latency", "the fewest running requests count as part of the latency"),
    "usage-based-routing": ("weighted", "usage is spread by weight, without a shared counter"),
    "usage-based-routing-v2": ("weighted", "usage is spread by weight, without a shared counter"),
    "lowest-tpm-rpm": ("weighted", "usage is spread by weight, without a shared counter"),
}
FALLBACKS_MAX: Final = 3
_FALLBACK_STEP: Final = 1000
"""Priorities of fallbacks stand behind every `order` a deployment may have."""
_EVERY_GROUP: Final = "*"


class Routing(NamedTuple):
    """What holds for every route."""

    strategy: str
    retries: int | None
    total_s: float | None
    first_token_s: float | None
    fallbacks: Mapping[str, tuple[str, ...]]


def read_routing(data: Mapping[str, Any], report: Report, draft: Draft) -> Routing:
    """From `router_settings`, and from `litellm_settings` where that says nothing."""
    router, litellm = _section(data, "router_settings"), _section(data, "litellm_settings")
    retries = total_s = first_token_s = None
    for name, section in (("litellm_settings", litellm), ("router_settings", router)):
        read = number(section.get("num_retries"))
        if read is not None:
            retries = min(max(int(read), 0), RETRIES_MAX)
            report.taken((name, "num_retries"), "retries of every route, on one target before the next")
        for key in ("request_timeout", "timeout"):
            bound = seconds(section.get(key))
            if bound is not None:
                total_s = bound
                report.taken((name, key), "total_s of every route")
        bound = seconds(section.get("stream_timeout"))
        if bound is not None:
            first_token_s = bound
            report.changed(
                (name, "stream_timeout"), "first_token_s of every route; idle_s bounds what follows"
            )
    _breaker(router, ("router_settings",), report, draft)
    _breaker(litellm, ("litellm_settings",), report, draft)
    return Routing(
        _strategy(router, report), retries, total_s, first_token_s, _all_fallbacks(router, litellm, report)
    )


def _section(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = data.get(name)
    return section if isinstance(section, Mapping) else {}


def _strategy(router: Mapping[str, Any], report: Report) -> str:
    asked = router.get("routing_strategy")
    if asked is None:
        return "weighted"
    path: ConfigPath = ("router_settings", "routing_strategy")
    found = _STRATEGIES.get(str(asked))
    if found is None:
        report.attention(path, f"no strategy of ours is like {asked!r}; taken as weighted")
        return "weighted"
    strategy, difference = found
    if difference:
        report.changed(path, f"{strategy}: {difference}")
    else:
        report.taken(path, strategy)
    return strategy


def _breaker(section: Mapping[str, Any], path: ConfigPath, report: Report, draft: Draft) -> None:
    fails = whole(section.get("allowed_fails"))
    if fails is not None:
        draft.set("breaker", "consecutive_failures", min(fails + 1, 10_000))
        report.changed(
            (*path, "allowed_fails"), "breaker.consecutive_failures: failures in a row, not per minute"
        )
    cooldown = seconds(section.get("cooldown_time"))
    if cooldown is not None:
        draft.set("breaker", "open_s", cooldown)
        draft.set("breaker", "open_s_max", max(cooldown, 300.0))
        report.changed((*path, "cooldown_time"), "breaker.open_s: longer when it opens again and again")


def _all_fallbacks(
    router: Mapping[str, Any], litellm: Mapping[str, Any], report: Report
) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for name, section in (("litellm_settings", litellm), ("router_settings", router)):
        for key in ("fallbacks", "context_window_fallbacks"):
            path: ConfigPath = (name, key)
            for group, names in _pairs(section.get(key)):
                found[group] = tuple(dict.fromkeys((*found.get(group, ()), *names)))
                told = f"{group!r} falls back to {', '.join(names)}"
                if key == "fallbacks":
                    report.taken(path, told)
                else:
                    report.changed(path, f"{told}; too long a prompt goes to whichever target has the room")
        default = section.get("default_fallbacks")
        if isinstance(default, list):
            names = tuple(str(one) for one in default)
            found[_EVERY_GROUP] = tuple(dict.fromkeys((*found.get(_EVERY_GROUP, ()), *names)))
            report.taken((name, "default_fallbacks"), f"every route falls back to {', '.join(names)}")
        if section.get("content_policy_fallbacks"):
            report.no_counterpart(
                (name, "content_policy_fallbacks"), "a refusal for its content is never tried elsewhere"
            )
    return found


def _pairs(value: Any) -> Iterator[tuple[str, tuple[str, ...]]]:
    if not isinstance(value, list):
        return
    for entry in value:
        if isinstance(entry, Mapping):
            for group, names in entry.items():
                if isinstance(names, list):
                    yield str(group), tuple(str(one) for one in names if isinstance(one, str))


def make_routes(draft: Draft, routing: Routing, report: Report) -> None:
    """One route per group, with its fallbacks behind its own targets."""
    for group in draft.groups:
        name, path = route_name(group), draft.places[group]
        if name != group:
            report.attention(path, f"{group!r} is no name for a route; callers ask for {name!r}")
        if name in draft.routes:
            report.attention(path, f"another route is called {name!r} already; {group!r} is left out")
            continue
        draft.routes[name] = _route(draft, group, routing, report)


def add_aliases(draft: Draft, aliases: Any, path: ConfigPath, report: Report) -> None:
    """`model_group_alias`: another name for a group is another route of the same targets."""
    if not isinstance(aliases, Mapping):
        return
    for alias, meant in aliases.items():
        group = str(meant.get("model") if isinstance(meant, Mapping) else meant)
        name = route_name(str(alias))
        route = draft.routes.get(route_name(group))
        if route is None or name in draft.routes:
            report.attention((*path, str(alias)), f"there is no group {group!r}, or {alias!r} is one itself")
            continue
        draft.routes[name] = route
        report.taken((*path, str(alias)), f"route {name!r} with the targets of {group!r}")


def route_name(group: str) -> str:
    """A name of ours: slashes and other signs become dashes."""
    if ROUTE_NAME.fullmatch(group):
        return group
    return re.sub(r"[^A-Za-z0-9._:-]+", "-", group).strip("-._:")[:127] or "route"


def _route(draft: Draft, group: str, routing: Routing, report: Report) -> dict[str, Any]:
    own = draft.groups[group]
    names = routing.fallbacks.get(group, routing.fallbacks.get(_EVERY_GROUP, ()))
    targets: dict[str, dict[str, Any]] = {}
    if any("priority" in target for target in own):
        # Who has no order there is only asked when nobody with one is left.
        own = [{"priority": _FALLBACK_STEP - 1, **target} for target in own]
    _join(targets, own, 0)
    for place, name in enumerate((name for name in names if name != group), 1):
        others = draft.groups.get(name)
        if others is None:
            report.attention(
                ("router_settings", "fallbacks"), f"{group!r} falls back to {name!r}, which is no group"
            )
            continue
        _join(targets, others, place * _FALLBACK_STEP)
    if len(targets) - 1 > FALLBACKS_MAX:
        report.changed(
            draft.places[group],
            f"{group!r} has {len(targets)} targets; a request tries at most {FALLBACKS_MAX + 1}",
        )
    strategy = routing.strategy
    if strategy == "cost" and len(targets) > len({t["target"] for t in own}):
        strategy = "priority"
        report.changed(("router_settings", "fallbacks"), f"{group!r}: in order, so that a fallback stays one")
    route: dict[str, Any] = {"strategy": strategy, "targets": list(targets.values())}
    retries = max((t["_retries"] for t in own if "_retries" in t), default=routing.retries)
    if retries is not None:
        route["retries"] = retries
    timeouts = {
        key: value
        for key, value in (("total_s", routing.total_s), ("first_token_s", routing.first_token_s))
        if value is not None
    }
    for target in own:
        for key, bound in target.get("_timeouts", {}).items():
            timeouts[key] = max(bound, timeouts.get(key, 0.0)) if key in timeouts else bound
    if timeouts:
        route["timeouts"] = timeouts
    return route


def _join(targets: dict[str, dict[str, Any]], more: list[dict[str, Any]], priority: int) -> None:
    """A target that is there already gets the further weight; it is never asked twice."""
    for target in more:
        known = targets.get(target["target"])
        if known is not None:
            if known.get("priority", 0) >= priority or priority == 0:
                known["weight"] = known.get("weight", 1.0) + target.get("weight", 1.0)
            continue
        kept = {name: value for name, value in target.items() if not name.startswith("_")}
        if priority or "priority" in kept:
            kept["priority"] = priority + kept.get("priority", 0)
        targets[target["target"]] = kept
