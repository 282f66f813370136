"""What answers were given again, what that saved, and what no longer counts."""

from typing import Any, Final
from urllib.parse import quote

from entrypoints.ui.page import Act, Ask, Column, Field, Page, Shown, Stat, Table

KINDS: Final = (
    "tag", "route", "model", "namespace", "prompt", "radius", "entry", "tenant", "everything",
)  # fmt: skip
LINE: Final = '{"model": "faq", "messages": [{"role": "user", "content": "What is your return policy?"}]}'
MODES: Final = (
    "Give it a mode: `cache: {mode: observe}` in the configuration file serves nothing and measures."
)
_ADVICE: Final = {
    "switch_on": "prompts are long enough: try prompt_caching: auto on the route",
    "written_in_vain": "writing cost more than reading saved: off, or keep it longer",
}


async def view(ask: Ask) -> Shown:
    """The cache as it is, or one kept answer."""
    if ask.item:
        return await _entry(ask)
    found = await ask.api.get("/api/v1/cache")
    verified = await ask.tried("/api/v1/cache/verified")
    prompt = await ask.tried("/api/v1/cache/prompt")
    used, process = found.get("usage"), found.get("process")
    tables = [_lines(used["lines"] if used else [], found["mode"])]
    if process:
        tables.append(_tiers(found, process))
    tables += [_verified(verified.get("routes", [])), _prompt(prompt.get("lines", []))]
    return Shown(
        context={
            "live": "10s",
            "row_acts": ("drop",),
            "note": "" if found["mode"] != "off" else f"The answer cache is off. {MODES}",
            "values": {"warm": {"max_cost_usd": "1", "lines": LINE}},
        },
        stats=_stats(found, used, prompt.get("totals")),
        tables=tables,
        problems=[each.problem for each in (verified, prompt) if each.problem],
    )


def _stats(found: dict[str, Any], used: dict[str, Any] | None, prompt: dict[str, Any] | None) -> list[Stat]:
    stats = [
        Stat(
            "State",
            "suspended" if found["suspended"] else found["status"],
            "state",
            f"mode {found['mode']}",
            "bad" if found["suspended"] else "",
        )
    ]
    if used:
        stats += [
            Stat("Hits, 30 days", used["hit_ratio"], "share", f"{used['hits']:,} of {used['lookups']:,}"),
            Stat("Saved by answers, 30 days", used["saved_usd"], "usd"),
        ]
    if prompt:
        stats += [
            Stat(
                "Input from prompt caches",
                prompt["hit_share"],
                "share",
                f"{prompt['cached_read_tokens']:,} tokens of {prompt['input_tokens']:,}",
            ),
            Stat("Saved by prompt caches", prompt["saved_usd"], "usd", "less what writing costs"),
        ]
    return stats


def _lines(rows: list[dict[str, Any]], mode: str) -> Table:
    return Table(
        name="usage",
        title="By route, 30 days",
        columns=(
            Column("route", "Route", "code", "/ui/requests?route={route}&cache={cache}"),
            Column("cache", "What the cache did", "state"),
            Column("requests", "Requests", "number"),
            Column("saved_usd", "Saved", "usd"),
            Column("cost_usd", "Cost", "usd"),
            Column("unpriced_hits", "Hits of unknown price", "number", wide=True),
        ),
        rows=[{**row, "route": row["route"] or None} for row in rows],
        empty=f"No request looked into the cache. {MODES}"
        if mode == "off"
        else "No request looked into the cache yet: send the same request twice, or look in the playground "
        "what the cache would do with it.",
    )


def _tiers(found: dict[str, Any], process: dict[str, Any]) -> Table:
    fast, second, index = process["l1"], process["l2"], process["index"]
    store = second["store"] or {}
    rows = [
        {
            "tier": "memory",
            "state": "enabled" if found["l1"]["enabled"] else "off",
            "hits": fast["hits"],
            "misses": fast["misses"],
            "ratio": ratio(fast["hits"], fast["misses"]),
            "entries": fast["entries"],
            "bytes": fast["bytes_used"],
            "room": fast["bytes_used"] / fast["bytes_max"] if fast["bytes_max"] else None,
            "evictions": fast["evictions"],
            "notes": f"{fast['refused']:,} too large" if fast["refused"] else "",
        },
        {
            "tier": f"second ({store['kind']})" if store else "second",
            "state": found["l2"]["status"] if found["l2"]["enabled"] else "off",
            "hits": second["hits"],
            "misses": second["misses"],
            "ratio": ratio(second["hits"], second["misses"]),
            "entries": store.get("entries"),
            "bytes": store.get("bytes_used"),
            "room": store["bytes_used"] / store["bytes_max"]
            if store.get("bytes_max") and store.get("bytes_used") is not None
            else None,
            "evictions": store.get("evictions"),
            "notes": "; ".join(
                [
                    *(f"{second[name]:,} {title}" for name, title in _TROUBLES.items() if second[name]),
                    *store.get("problems", []),
                ]
            ),
        },
    ]
    if index:
        served, looked = found_similar(process["similar"])
        rows.append(
            {
                "tier": f"similar questions ({index['kind']})",
                "state": "enabled" if found["semantic"]["enabled"] else "off",
                "hits": served,
                "misses": looked - served,
                "ratio": served / looked if looked else None,
                "entries": index["vectors"],
                "bytes": index["bytes_used"],
                "room": None,
                "evictions": None,
                "notes": ", ".join(f"{name} {count:,}" for name, count in process["similar"].items()),
            }
        )
    return Table(
        name="tiers",
        title="Tiers of this worker",
        columns=(
            Column("tier", "Tier"),
            Column("state", "State", "state"),
            Column("ratio", "Hit ratio", "share"),
            Column("hits", "Hits", "number"),
            Column("misses", "Misses", "number", wide=True),
            Column("entries", "Entries", "number"),
            Column("bytes", "Size", "bytes"),
            Column("room", "Of its room", "share", wide=True),
            Column("evictions", "Evicted", "number", wide=True),
            Column("notes", "Notes", wide=True),
        ),
        rows=rows,
        empty="",
    )


_TROUBLES: Final = {
    "slow": "too slow",
    "failed": "failed",
    "not_asked": "not asked while it was down",
    "writes_dropped": "writes dropped",
    "write_failures": "writes failed",
}


def ratio(hits: int, misses: int) -> float | None:
    """Hits by look-ups; None: nothing was looked up."""
    return hits / (hits + misses) if hits + misses else None


def found_similar(counts: dict[str, int]) -> tuple[int, int]:
    """Of looks for similar questions: how many served an answer, and all of them."""
    return sum(count for name, count in counts.items() if name in ("hit", "served")), sum(counts.values())


def _verified(rows: list[dict[str, Any]]) -> Table:
    return Table(
        name="verified",
        title="Verified reuse",
        columns=(
            Column("route", "Route", "code"),
            Column("mode", "Mode", "state"),
            Column("looked_for", "Looked for", "number"),
            Column("hits", "Similar, answered", "number"),
            Column("audited", "Asked again", "number"),
            Column("wrong", "Wrong", "number"),
            Column("error_rate_measured", "Error", "share"),
            Column("between", "95 % between"),
            Column("error_rate_accepted", "Accepted", "share"),
            Column("forecast.similar_hits", "Would be answered", "number", wide=True),
            Column("forecast.saved_usd", "Would save", "usd", wide=True),
            Column("unjudged", "Nobody could say", "number", wide=True),
            Column("labels", "Learned from", "number", wide=True),
            Column("audits_today_usd", "Audits today", "usd", wide=True),
        ),
        rows=[
            {
                **row,
                "between": f"{row['error_rate_low'] * 100:.1f} to {row['error_rate_high'] * 100:.1f} %",
            }
            for row in rows
        ],
        empty="No route looks for similar questions. Give one cache: {mode: observe}: it measures how many "
        "answers to similar questions would be right, before any is served (docs/verified-reuse.md).",
    )


def _prompt(rows: list[dict[str, Any]]) -> Table:
    return Table(
        name="prompt",
        title="Prompt caches of providers",
        columns=(
            Column("name", "Model", "code"),
            Column("route", "Route", "code"),
            Column("hit_share", "Input from the cache", "share"),
            Column("saved_usd", "Saved", "usd"),
            Column("input_tokens", "Input tokens", "number"),
            Column("cached_read_tokens", "Read", "number", wide=True),
            Column("cache_write_tokens", "Written", "number", wide=True),
            Column("caching", "Mode", "state", wide=True),
            Column("tokens_min", "Shortest kept", "number", wide=True),
            Column("advised", "Advice"),
        ),
        rows=[
            {
                **row,
                "name": f"{row['provider']}/{row['model']}",
                "advised": _ADVICE.get(row["advice"], row["advice"]) if row["advice"] else None,
            }
            for row in rows
        ],
        empty="No model was called in the last 30 days.",
    )


async def _entry(ask: Ask) -> Shown:
    found = await ask.api.get(f"/api/v1/cache/entries/{quote(ask.item, safe='')}")
    kinds = {"cost_usd": "usd", "bytes": "bytes", "key": "code", "heard": "text"}
    pairs = [
        (
            name.replace("_", " "),
            value,
            kinds.get(name, "when" if name.endswith(("_at", "_until")) else "text"),
        )
        for name, value in found.items()
        if value not in (None, "", [])
    ]
    return Shown(
        title="A kept answer",
        template="detail.html",
        context={
            "back": ("/ui/cache", "The cache"),
            "row_acts": ("drop", "invalidate", "warm"),
            "buttons": ("drop",),
            "row": {"key": found["key"]},
            "facts": (("What is kept", pairs),),
        },
    )


def warm_lines(said: dict[str, Any]) -> object:
    """The lines as they are: each is a request."""
    return str(said.get("lines", "")).strip().encode() + b"\n"


PAGE: Final = Page(
    name="cache",
    title="Cache",
    group="Models",
    permission="cache.read",
    view=view,
    about="Answers that are given again: how often, what that saved, whether they were right, and what no "
    "longer counts.",
    acts=(
        Act(
            name="invalidate",
            title="Take answers out",
            method="POST",
            path="/api/v1/cache/invalidate",
            permission="cache.write",
            danger=True,
            done="What was asked for before is never served again: here at once, elsewhere within a second.",
            fields=(
                Field("kind", "What", "choice", required=True, choices=KINDS, default="tag"),
                Field(
                    "value",
                    "Which",
                    hint="A tag, route, provider/model, namespace, a key, or how the question begins. Models "
                    "and namespaces may end in *. Nothing for radius, tenant and everything.",
                ),
                Field("text", "Near to", hint="Of radius: a question; similar ones are taken out."),
                Field("similarity", "At least so alike", "number", "Of radius, such as 0.9."),
            ),
        ),
        Act(
            name="warm",
            title="Fill it before anybody asks",
            method="POST",
            path="/api/v1/cache/warm?max_cost_usd={max_cost_usd}",
            permission="cache.write",
            stays=True,
            shape=warm_lines,
            timeout_s=600.0,
            done="What was kept",
            fields=(
                Field("max_cost_usd", "Dollars, at most", required=True, default="1"),
                Field(
                    "lines",
                    "Requests",
                    "area",
                    "One JSON object per line, at most 1,000; each really asks.",
                    required=True,
                    default=LINE,
                ),
            ),
        ),
        Act(
            name="drop",
            title="Take it out",
            method="DELETE",
            path="/api/v1/cache/entries/{key}",
            permission="cache.write",
            danger=True,
            leaves=True,
            done="It is never served again.",
            fields=(Field("key", "Key", "hidden"),),
        ),
    ),
)
