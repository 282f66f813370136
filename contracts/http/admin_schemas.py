"""What the routes around the calls take and give."""

from contracts.http.words import (
    Schema,
    array,
    boolean,
    closed,
    integer,
    maybe,
    number,
    obj,
    one_of,
    ref,
    text,
)
from domain.caching.effect import EFFECTS, HIT_COALESCED
from domain.llm.capabilities import NAMES
from domain.resilience.breaker import BreakerState
from domain.resilience.key_pool import KeyState
from domain.routing.filters import DropReason
from domain.routing.health import HealthState
from domain.tenancy.key_rules import PAYER_SHAPE

_TIME = text("RFC 3339, with a time zone.", format="date-time")
_USD = text("USD as decimal text, exact.", pattern=r"^-?\d+(\.\d+)?$")
_COUNT = integer(minimum=0)
_BREAKER = one_of([state.value for state in BreakerState])
_HEALTH = one_of([state.value for state in HealthState])
_CAPABILITIES = array(one_of(NAMES))
_PAYER = {"pattern": f"^({PAYER_SHAPE.pattern})?$"}
PAYERS: dict[str, Schema] = {
    "team": text("The team its cost is counted for; empty: none.", **_PAYER),
    "project": text("The project its cost is counted for; empty: none.", **_PAYER),
    "cost_center": text("The cost centre its cost is counted for; empty: none.", **_PAYER),
}

ADMIN_SCHEMAS: dict[str, Schema] = {
    "Model": obj(
        {
            "id": text("What to send as `model`."),
            "object": text(const="model"),
            "created": integer(),
            "owned_by": text("The provider; `interchange` for a route."),
            "context_window": maybe(integer()),
            "capabilities": _CAPABILITIES,
        },
        optional=["context_window", "capabilities"],
    ),
    "ModelList": obj({"object": text(const="list"), "data": array(ref("Model"), "Routes first.")}),
    "AnthropicModel": obj(
        {"type": text(const="model"), "id": text(), "display_name": text(), "created_at": _TIME}
    ),
    "AnthropicModelList": obj(
        {
            "data": array(ref("AnthropicModel")),
            "has_more": boolean(),
            "first_id": maybe(text()),
            "last_id": maybe(text()),
        }
    ),
    "ExplainRequest": {
        "description": "Any body of a calling route: of `/api/v1/llm/complete`, a chat, a text completion or "
        "embeddings. `model` alone asks about a short chat.",
        "anyOf": [ref("CompleteRequest"), obj({"model": text(minLength=1)})],
        "examples": [{"model": "assistant", "messages": [{"role": "user", "content": "Say hello."}]}],
    },
    "Explanation": obj(
        {
            "route": text(),
            "strategy": text(),
            "attempts_max": _COUNT,
            "estimated_input_tokens": _COUNT,
            "estimated_output_tokens": _COUNT,
            "cache": one_of(
                [effect for effect in EFFECTS if effect != HIT_COALESCED],
                "What the answer cache would do with the request.",
            ),
            "cache_reason": maybe(text("Why it takes no part.")),
            "affinity": maybe(one_of(["kept", "moved", "new"])),
            "affinity_reason": maybe(text("Why the conversation stays, moves or starts there.")),
            "refusal": maybe(
                obj(
                    {"code": text(), "message": text()},
                    description="The error a real request would get; null when it would be sent.",
                )
            ),
            "candidates_total": _COUNT,
            "candidates": array(ref("Candidate"), "The kept ones by rank, then the dropped ones."),
        }
    ),
    "Candidate": obj(
        {
            "target": text(),
            "provider": text(),
            "model": text(),
            "region": maybe(text()),
            "kept": boolean(),
            "rank": maybe(integer("From 0 among the kept.", minimum=0)),
            "reason": maybe(one_of([reason.value for reason in DropReason])),
            "explanation": text("The same for people."),
            "estimated_cost_usd": maybe(_USD),
            "effective_cost_usd": maybe(
                {**_USD, "description": "The estimate with discounts, reserved capacity and a warm prefix."}
            ),
            "warm_probability": maybe(number(minimum=0, maximum=1)),
            "prefix_tokens": maybe(integer("Tokens that may be warm there.", minimum=0)),
            "price_bound_usd": maybe({**_USD, "description": "The most this attempt can cost."}),
            "price_bound_by": maybe(
                {"type": "string", "description": "What the bound rests on, or why there is none."}
            ),
            "max_tokens_set": maybe(
                {"type": "integer", "description": "The limit on the answer that the route puts in."}
            ),
            "predicted_p95_ms": maybe(number(minimum=0)),
            "first_token_ms": maybe(number(minimum=0)),
            "in_flight": _COUNT,
            "health": _HEALTH,
            "breaker": _BREAKER,
        }
    ),
    "ProvidersStatus": obj({"providers": array(ref("ProviderStatus"))}),
    "ProviderStatus": obj(
        {
            "provider": text(),
            "state": _HEALTH,
            "success_rate": maybe(number("Of the last 300 s; null without calls.", minimum=0, maximum=1)),
            "latency_ms": maybe(number(minimum=0)),
            "consecutive_failures": _COUNT,
            "availability": number("Percent of the last 300 s.", minimum=0, maximum=100),
            "samples": _COUNT,
            "usable": boolean("At least one of its targets may be tried now."),
            "forced": maybe(_HEALTH),
            "simulated": boolean(),
            "breaker": _BREAKER,
            "targets": array(ref("TargetStatus")),
            "keys": array(ref("ProviderKeyStatus"), "Where it has several, or declared limits."),
        }
    ),
    "ProviderKeyStatus": obj(
        {
            "id": text("Its name in the configuration, or `key1`, `key2` by place."),
            "state": one_of([state.value for state in KeyState]),
            "headroom": maybe(number("Share of its limits that is left.", minimum=0, maximum=1)),
            "back_after_s": number("Seconds until it is used again; 0: now.", minimum=0),
            "success_rate": maybe(number("Of the last minutes; null without calls.", minimum=0, maximum=1)),
            "in_flight": _COUNT,
            "requests_last_minute": _COUNT,
            "tokens_last_minute": _COUNT,
        }
    ),
    "TargetStatus": obj(
        {
            "id": text(),
            "region": maybe(text("Where it is, as residency counts it; null: nobody knows.")),
            "breaker": _BREAKER,
            "back_after_s": maybe(number("Null: when an operator says so.", minimum=0)),
            "first_token_ms": maybe(number(minimum=0)),
            "latency_p95_ms": maybe(number(minimum=0)),
            "in_flight": _COUNT,
        }
    ),
    "ProviderState": closed(
        obj(
            {"state": one_of(["auto", *(state.value for state in HealthState)])},
            example={"state": "maintenance"},
        )
    ),
    "ProviderStateSet": obj({"provider": text(), "state": text()}),
    "BreakerAction": closed(obj({"action": one_of(["open", "close", "reset"])}, example={"action": "reset"})),
    "BreakerSet": obj({"provider": text(), "breaker": maybe(_BREAKER)}),
    "Offering": obj(
        {
            "id": text("`provider/model`."),
            "provider": text(),
            "model": text(),
            "capabilities": _CAPABILITIES,
            "context_tokens": maybe(_COUNT),
            "max_output_tokens": maybe(_COUNT),
            "quality": maybe(number(minimum=0, maximum=1)),
            "regions": array(text()),
            "compliance": array(text()),
            "deprecated_on": maybe(text()),
            "price_source": text("Where the prices come from."),
            "price_effective_from": maybe(text()),
            "usd_per_mtok": {
                "type": "object",
                "description": "USD per million tokens, by bucket; absent buckets are unknown.",
                "additionalProperties": _USD,
            },
            "tiers": array(integer(), "Input tokens above which dearer prices hold."),
        }
    ),
    "OfferingPage": obj({"total": _COUNT, "offset": _COUNT, "offerings": array(ref("Offering"))}),
    "CatalogStatistics": obj(
        {
            "version": text(),
            "offerings": _COUNT,
            "providers": _COUNT,
            "priced": _COUNT,
            "with_context": _COUNT,
            "by_provider": {"type": "object", "additionalProperties": _COUNT},
        }
    ),
    "Health": obj(
        {
            "status": one_of(["ok", "degraded"]),
            "version": text(),
            "profile": text(),
            "providers": obj(
                {"configured": _COUNT, "usable": _COUNT, "names": array(text())}, optional=["names"]
            ),
            "portkey": obj(
                {
                    "status": one_of(["up", "down", "not_configured"]),
                    "note": text(),
                    "gateways": array(obj({"url": text(), "up": boolean(), "last_error": maybe(text())})),
                },
                optional=["note", "gateways"],
            ),
            "usage_log": one_of(["ok", "buffering"]),
            "ledger": one_of(["ok", "down", "unused"], "Of budgets; `unused`: there are none."),
            "redis": obj(
                {
                    "status": one_of(
                        ["up", "down", "not_configured"],
                        "While it is down, leases of budgets come from the database.",
                    ),
                    "latency_ms": number(),
                    "last_error": text(),
                },
                optional=["latency_ms", "last_error"],
            ),
            "cache": one_of(
                ["off", "ok", "degraded"],
                "`degraded`: its second tier is down or nothing is served from it; requests are answered.",
            ),
            "in_flight": _COUNT,
            "budgets": obj({"in_force": _COUNT, "hard": _COUNT}),
            "warnings": array(text()),
        },
        optional=["budgets", "warnings"],
    ),
    "Alive": obj({"status": text(const="alive")}),
}
