"""Trying a model: what would happen to a prompt, and having it answered."""

import json
from typing import Any, Final

from entrypoints.ui.calls import Refused
from entrypoints.ui.page import Act, Ask, Column, Field, Page, Shown, Stat, Table

MODELS_MAX: Final = 500
AGENT: Final = "playground"
ACTS: Final = (
    ("send", "Send", "llm.call"),
    ("plan", "Plan", "routing.explain"),
    ("cache", "Cache", "cache.read"),
)
FIELDS: Final = (
    Field("request.model", "Route or model", required=True, default="auto"),
    Field("system", "System", "area"),
    Field("prompt", "Prompt", "area", required=True),
    Field("request.max_tokens", "Tokens of the answer, at most", "whole", default="256"),
    Field("request.temperature", "Temperature", "number", "0 to 2; empty: the model's own."),
    Field(
        "model_requirements.capabilities",
        "Must be able to",
        "list",
        "Such as text, vision, code or reasoning.",
    ),
    Field("model_requirements.max_latency_ms", "Latency, ms, at most", "whole"),
    Field("model_requirements.max_cost_per_token", "Cost of a token, $, at most", "number"),
    Field("model_requirements.data_residency", "Has to stay in", hint="A region or a group of them."),
    Field("context.tenant_id", "Tenant", "hidden"),
)
DEMANDS: Final = tuple(field.name for field in FIELDS if field.name.startswith("model_requirements."))


def shape(said: dict[str, Any]) -> object:
    """The body of `/api/v1/llm/complete`: of two texts, messages."""
    request = dict(said.get("request", {}))
    system, prompt = said.get("system", ""), said.get("prompt", "")
    request["messages"] = [
        *([{"role": "system", "content": system}] if system.strip() else []),
        {"role": "user", "content": prompt},
    ]
    return {
        "model_requirements": {"capabilities": [], **said.get("model_requirements", {})},
        "request": request,
        "context": {**said.get("context", {}), "agent_id": AGENT},
    }


async def view(ask: Ask) -> Shown:
    """The form, and what came of it."""
    names = await _names(ask)
    shown = Shown(
        template="playground.html",
        context={
            "own_answer": True,
            "models": names[:MODELS_MAX],
            "buttons": [(name, title) for name, title, permission in ACTS if ask.may(permission)],
            "said": {
                "request.model": ask.query.get("model") or "auto",
                "prompt": ask.query.get("prompt", ""),
                "context.tenant_id": ask.person.principal.tenant_id,
            },
            "demands": DEMANDS,
            "completion": None,
            "sentence": "",
            "facts": (),
        },
    )
    told = {"send": _sent, "plan": _planned, "cache": _cached}.get(ask.did)
    if told is not None and isinstance(ask.answer, dict):
        told(shown, ask.answer)
    return shown


async def _names(ask: Ask) -> list[str]:
    """Routes that may be seen, and targets."""
    routes = await ask.tried("/api/v1/routes")
    try:
        known = await ask.api.send("POST", "/api/v1/routing/explain", {"model": "auto"})
    except Refused:
        known = {"candidates": []}
    return [
        *(each["name"] for each in routes.get("routes", [])),
        *sorted(each["target"] for each in known["candidates"]),
    ]


def _sent(shown: Shown, answer: dict[str, Any]) -> None:
    tokens = answer["usage"]
    link = f"/ui/requests/{answer['request_id']}"
    who = f"{answer['provider']}/{answer['model_used']}"
    shown.stats = (
        Stat("Answered by", who, "text", _made_up(answer), link=link),
        Stat("Cost", answer["cost"], "usd", "estimated" if answer["cost_estimated"] else ""),
        Stat("Took", answer["latency_ms"], "ms"),
        Stat("Tokens", f"{tokens['input_tokens']:,} in, {tokens['output_tokens']:,} out", "text"),
        Stat("From the cache", answer["cache_hit"], "flag"),
        Stat(
            "Attempts",
            answer["attempts"],
            "number",
            "others failed before" if answer["fallback"] else "",
            "warn" if answer["fallback"] else "",
        ),
    )
    shown.context["completion"] = answer["completion"] or "(an empty answer)"
    shown.context["calls"] = answer.get("tool_calls")
    shown.context["finish"] = answer["finish_reason"]
    shown.context["request_id"] = answer["request_id"]


def _made_up(answer: dict[str, Any]) -> str:
    return "simulated: the answer is made up" if answer["simulated"] else ""


def _planned(shown: Shown, answer: dict[str, Any]) -> None:
    kept = [each for each in answer["candidates"] if each["kept"]]
    first = kept[0] if kept else None
    shown.context["sentence"] = plan_sentence(answer)
    shown.stats = (
        Stat("Would go to", first["target"] if first else None, "text", state="" if first else "bad"),
        Stat("Estimated cost", first["estimated_cost_usd"] if first else None, "usd"),
        Stat("Expected within", first["predicted_p95_ms"] if first else None, "ms", "95 of 100 answers"),
        Stat("Candidates", len(kept), "number", f"of {answer['candidates_total']}"),
        Stat("Cache", answer["cache"], "state", answer["cache_reason"] or ""),
        Stat(
            "Tokens",
            f"{answer['estimated_input_tokens']:,} in, {answer['estimated_output_tokens']:,} out",
            "text",
            "estimated",
        ),
    )
    shown.tables = (candidates_table(answer["candidates"]),)


def plan_sentence(answer: dict[str, Any]) -> str:
    """What would become of the request, in words."""
    if answer["refusal"]:
        return f"It would be refused: {answer['refusal']['message']} ({answer['refusal']['code']})."
    kept = [each for each in answer["candidates"] if each["kept"]]
    if not kept:
        return "Nobody could answer it: the table says why each was left out."
    text = f"{answer['route']} chooses by {answer['strategy']}: {kept[0]['target']} would be asked first"
    if len(kept) > 1:
        text += f", then {kept[1]['target']}"
    dropped = answer["candidates_total"] - len(kept)
    if dropped:
        text += f"; {dropped} left out"
    return text + ". Nothing was sent."


def candidates_table(candidates: list[dict[str, Any]]) -> Table:
    """The kept ones by rank, then those left out, each with its reason."""
    return Table(
        name="candidates",
        title="Candidates",
        columns=(
            Column("place", "#"),
            Column("target", "Target", "code"),
            Column("reason", "Left out for", "state"),
            Column("estimated_cost_usd", "Estimated", "usd"),
            Column("predicted_p95_ms", "p95", "ms"),
            Column("health", "Health", "state"),
            Column("breaker", "Breaker", "state", wide=True),
            Column("region", "Region", wide=True),
            Column("explanation", "Why"),
        ),
        rows=[
            {**each, "place": str(each["rank"] + 1) if each["rank"] is not None else None}
            for each in candidates
        ],
        empty="There is no candidate: no provider is configured that this key may use.",
        passing=True,
    )


def _cached(shown: Shown, answer: dict[str, Any]) -> None:
    shown.context["sentence"] = cache_sentence(answer)
    shown.stats = (
        Stat("Cache", answer["cache"], "state", answer["reason"] or ""),
        Stat("Mode", answer["mode"], "text", f"of {answer['route']}"),
    )
    facts: list[tuple[str, list[tuple[str, Any, str]]]] = []
    if answer["key"]:
        link = [("Key", answer["key"], "code")]
        facts.append(("Where it is kept", [*link, *_pairs(answer["partition"])]))
    for tier, title in (("l1", "In memory"), ("l2", "In the second tier")):
        if answer[tier]:
            facts.append((title, _pairs(answer[tier])))
    similar = answer["similar"]
    if similar and similar["candidate"]:
        facts.append(("The most similar question", _pairs(similar["candidate"])))
    shown.context["facts"] = facts


def cache_sentence(answer: dict[str, Any]) -> str:
    """What the cache would do, in words."""
    kind = str(answer["cache"])
    if kind.startswith("hit"):
        text = f"It would be answered from the cache ({kind})."
    elif kind == "miss":
        text = "It is not there yet: a provider would answer, and the answer would be kept."
    elif kind == "observe":
        text = "The route only observes: a provider would answer, and what the cache would do is counted."
    elif kind == "off":
        text = "The cache is off for this route: give it a mode under `cache:` in the file, or in the route."
    else:
        text = f"The cache would take no part ({kind})."
    similar = answer.get("similar")
    if similar and similar["reason"]:
        text += f" Similar questions: {similar['reason']}."
    return text


def _pairs(given: dict[str, Any] | None) -> list[tuple[str, Any, str]]:
    """Facts of an object, with the kind that their names tell."""
    kinds = {"cost_usd": "usd", "bytes": "bytes", "age_s": "s", "fresh_for_s": "text", "state": "state"}
    found = []
    for name, value in (given or {}).items():
        if value is None or value == "":
            continue
        kind = kinds.get(name, "when" if name.endswith(("_at", "_until")) else "text")
        said = json.dumps(value) if isinstance(value, dict) else value
        found.append((name.replace("_", " "), said, kind))
    return found


def _act(name: str, title: str, permission: str, path: str, timeout_s: float) -> Act:
    return Act(
        name=name,
        title=title,
        method="POST",
        path=path,
        permission=permission,
        fields=FIELDS,
        stays=True,
        shape=shape,
        timeout_s=timeout_s,
    )


PAGE: Final = Page(
    name="playground",
    title="Playground",
    group="",
    permission="routing.explain",
    view=view,
    about="What would happen to a prompt: who would answer, why, for how much; and the answer itself.",
    acts=(
        _act("send", "Send", "llm.call", "/api/v1/playground", 620.0),
        _act("plan", "Plan", "routing.explain", "/api/v1/routing/explain", 30.0),
        _act("cache", "Cache", "cache.read", "/api/v1/cache/explain", 30.0),
    ),
)
