"""What the routes of the answer cache take and give."""

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
from domain.analytics.prompt_caching import PromptCachingAdvice
from domain.caching.effect import EFFECTS
from domain.caching.entry import Freshness
from domain.caching.invalidation import InvalidationKind
from domain.caching.policy import CacheMode, CacheScope

_TIME = text("RFC 3339, UTC.", format="date-time")
_USD = text("USD as decimal text, exact.", pattern=r"^-?\d+(\.\d+)?$")
_COUNT = integer(minimum=0)
_MODE = one_of([mode.value for mode in CacheMode])
_SHARE = number(minimum=0, maximum=1)
_COUNTS: Schema = {"type": "object", "additionalProperties": _COUNT}

_STATUS: dict[str, Schema] = {
    "status": one_of(
        ["off", "ok", "degraded"], "`degraded`: its second tier is down, or nothing is served from it."
    ),
    "mode": one_of([mode.value for mode in CacheMode], "Of those in use, the one that goes furthest."),
    "routes": integer("Declared routes that cache.", minimum=0),
    "suspended": boolean("Nothing is served, because invalidations may have been missed."),
    "l1": obj({"enabled": boolean()}),
    "l2": obj({"enabled": boolean(), "status": one_of(["up", "down", "none"])}),
    "semantic": obj({"enabled": boolean()}),
}
_ANSWER: dict[str, Schema] = {
    "key": text(),
    "route": text(),
    "dialect": text(),
    "streamed": boolean(),
    "target": text(),
    "provider": text(),
    "model": text(),
    "via": text("`direct`, `portkey`, or `warmed`: no provider gave it, it was put there as logged."),
    "simulated": boolean(),
    "finish_reason": text(),
    "input_tokens": _COUNT,
    "output_tokens": _COUNT,
    "cost_usd": maybe({**_USD, "description": "What it cost, so what a hit saves; null: unknown."}),
    "bytes": _COUNT,
    "made_at": _TIME,
    "expires_at": _TIME,
    "kept_until": {**_TIME, "description": "RFC 3339, UTC: end of its life as a stale answer, too."},
}
_SUMS: dict[str, Schema] = {
    "requests": _COUNT,
    "attempts": _COUNT,
    "input_tokens": _COUNT,
    "cached_read_tokens": _COUNT,
    "cache_write_tokens": _COUNT,
    "hit_share": maybe(_SHARE),
    "saved_usd": {**_USD, "description": "Less the surcharge for writing; may be negative."},
    "unpriced_attempts": _COUNT,
}
_KEPT = maybe(
    obj(
        {
            "state": one_of([state.value for state in Freshness]),
            "age_s": number(),
            "fresh_for_s": number("Negative: past its time."),
            **_ANSWER,
        }
    )
)

CACHE_SCHEMAS: dict[str, Schema] = {
    "CacheStatus": obj({**_STATUS, "process": ref("CacheProcess")}, optional=["process"]),
    "CacheOverview": obj(
        {
            **_STATUS,
            "usage": maybe(ref("CacheUsage")),
            "process": maybe(ref("CacheProcess")),
        },
        description="`usage` is of the tenant, `process` of the worker that answered, for all tenants "
        "together (`metrics.read`).",
    ),
    "CacheProcess": obj(
        {
            "l1": obj(
                {
                    **dict.fromkeys(("entries", "bytes_used", "bytes_max", "tenants", "evictions"), _COUNT),
                    "refused": integer("Too large to be kept at all.", minimum=0),
                    "hits": _COUNT,
                    "misses": _COUNT,
                }
            ),
            "l2": obj(
                {
                    "hits": _COUNT,
                    "misses": _COUNT,
                    "slow": integer("Gave no answer in time, which is a miss.", minimum=0),
                    "failed": _COUNT,
                    "not_asked": integer("Misses while it was down.", minimum=0),
                    "written": _COUNT,
                    "writes_waiting": _COUNT,
                    "writes_dropped": _COUNT,
                    "write_failures": _COUNT,
                    "store": maybe(
                        obj(
                            {
                                "kind": text(),
                                "entries": maybe(integer()),
                                "bytes_used": maybe(integer()),
                                "bytes_max": maybe(integer()),
                                "evictions": maybe(integer()),
                                "refused_writes": _COUNT,
                                "problems": array(text(), "What an operator should see to."),
                            },
                            description="Null: it does not answer, or there is none.",
                        )
                    ),
                }
            ),
            "log": obj(
                {
                    "epoch": text(),
                    "position": integer(),
                    "heard_ago_s": number(minimum=0),
                    "rules": integer("Invalidations in force here.", minimum=0),
                    "not_allowed": integer("Answers that were there, but invalidated.", minimum=0),
                },
                description="What instances tell each other.",
            ),
            "index": maybe(
                obj(
                    {
                        "kind": text(),
                        "vectors": maybe(integer()),
                        "partitions": maybe(integer()),
                        "bytes_used": maybe(integer()),
                    }
                )
            ),
            "outcomes": {**_COUNTS, "description": "By what the cache did, and why answers were not kept."},
            "similar": {**_COUNTS, "description": "Looks for similar questions, by what became of them."},
            "beside": {**_COUNTS, "description": "Calls beside requests, by what became of them."},
        }
    ),
    "CacheUsage": obj(
        {
            "from": _TIME,
            "to": _TIME,
            "lookups": _COUNT,
            "hits": _COUNT,
            "hit_ratio": maybe(_SHARE),
            "saved_usd": _USD,
            "complete": boolean("False: there are more lines."),
            "lines": array(
                obj(
                    {
                        "route": text(),
                        "cache": text(
                            "What the cache did: " + ", ".join(EFFECTS) + ", refresh, audit or shadow."
                        ),
                        "requests": _COUNT,
                        "saved_usd": _USD,
                        "unpriced_hits": _COUNT,
                        "cost_usd": _USD,
                    }
                )
            ),
        }
    ),
    "CacheEntry": obj(
        {
            **_ANSWER,
            "tiers": array(one_of(["l1", "l2"])),
            "namespace": text(),
            "tags": array(text()),
            "heard": obj({"epoch": text(), "position": integer()}),
            "question": text("With `body=1`: the last message of the user."),
            "body": text("With `body=1`: the answer as it is kept."),
        },
        optional=["question", "body"],
    ),
    "CacheInvalidation": closed(
        obj(
            {
                "kind": one_of([kind.value for kind in InvalidationKind]),
                "value": text(
                    "What the kind names: a key in hex, a tag, `provider/model`, a route, a namespace, or "
                    "how the last message of the user begins. Models and namespaces may end in `*`.",
                    maxLength=512,
                ),
                "tenant_id": maybe(text("Null or left out: the tenant of the key.")),
                "text": text("Of kind `radius`: what questions are near to.", maxLength=20_000),
                "similarity": maybe(number("Of kind `radius`: the least cosine.", maximum=1)),
            },
            optional=["value", "tenant_id", "text", "similarity"],
            example={"kind": "tag", "value": "faq"},
        )
    ),
    "CacheInvalidated": obj(
        {
            "kind": one_of([kind.value for kind in InvalidationKind]),
            "tenant_id": maybe(text("Null: all tenants.")),
            "value": text(),
            "position": integer("In what instances tell each other.", minimum=0),
            "epoch": text(),
            "heard_by_all_within_s": number("By instances that are not cut off.", minimum=0),
            "matched": maybe(integer("Of a radius: known questions in it just before.", minimum=0)),
        }
    ),
    "CacheExplanation": obj(
        {
            "route": text(),
            "mode": _MODE,
            "cache": one_of(EFFECTS, "What would happen."),
            "reason": maybe(text("Why the request takes no part.")),
            "would": maybe(text("What there is, also where the route only observes.")),
            "suspended": boolean(),
            "key": maybe(text("Under which an answer is kept.")),
            "partition": maybe(
                obj(
                    {
                        "scope": one_of([scope.value for scope in CacheScope]),
                        "namespace": text(),
                        "route_version": text("Changes with whatever could change an answer."),
                        "policy_version": text(),
                        "dialect": text(),
                        "form": one_of(["whole", "streamed", "usage"]),
                    }
                )
            ),
            "l1": _KEPT,
            "l2": _KEPT,
            "l2_down": boolean(),
            "similar": maybe(
                obj(
                    {
                        "reason": maybe(text("Why no similar question's answer would be served.")),
                        "candidate": maybe(
                            obj(
                                {
                                    "question": maybe(
                                        text("Null for keys that may neither ask nor write to the cache.")
                                    ),
                                    "similarity": number(),
                                    "guarded": maybe(text("The guard that takes them for different ones.")),
                                    "p_low": maybe(
                                        {**_SHARE, "description": "At least so likely the answer is right."}
                                    ),
                                    "decided_by": maybe(text()),
                                    "would_serve": boolean(),
                                    **_ANSWER,
                                }
                            )
                        ),
                    }
                )
            ),
        }
    ),
    "CacheWarmed": obj(
        {
            **dict.fromkeys(("kept", "skipped", "failed"), _COUNT),
            "cost_usd": _USD,
            "lines": array(
                obj(
                    {
                        "line": integer("From 1.", minimum=1),
                        "outcome": one_of(["kept", "skipped", "failed"]),
                        "reason": maybe(text()),
                        "key": maybe(text()),
                        "cost_usd": maybe(_USD),
                    }
                )
            ),
        }
    ),
    "CacheWarmLines": {
        **text("One JSON object per line."),
        "examples": [
            '{"model": "faq", "messages": [{"role": "user", "content": "What is your return policy?"}]}\n'
        ],
    },
    "VerifiedReuse": obj(
        {
            "routes": array(
                obj(
                    {
                        "route": text(),
                        "mode": maybe(_MODE),
                        "error_rate_accepted": maybe(_SHARE),
                        "looked_for": _COUNT,
                        "hits": integer("On similar questions; in `observe`, those it would have served."),
                        "audited": integer("Hits that were asked again and compared.", minimum=0),
                        "wrong": _COUNT,
                        "unjudged": integer(
                            "Asked again, but nobody could say; not in the measured error.", minimum=0
                        ),
                        "error_rate_measured": maybe(_SHARE),
                        "error_rate_low": _SHARE,
                        "error_rate_high": {
                            **_SHARE,
                            "description": "The true share lies between the two 95 times of 100.",
                        },
                        "labels": integer("Comparisons that were learned from.", minimum=0),
                        "strictness": number("Log-odds that measured errors cost."),
                        "audits_today_usd": _USD,
                        "forecast": maybe(
                            obj({"exact_hits": _COUNT, "similar_hits": _COUNT, "saved_usd": _USD})
                        ),
                    }
                )
            )
        }
    ),
    "PromptCaching": obj(
        {
            "from": _TIME,
            "to": _TIME,
            "complete": boolean("False: there are more lines."),
            "totals": obj(_SUMS),
            "lines": array(
                obj(
                    {
                        "provider": text(),
                        "model": text(),
                        "route": text(),
                        **_SUMS,
                        "caching": maybe(text("The route's mode; null: the target is gone.")),
                        "tokens_min": integer("The shortest beginning the provider keeps.", minimum=0),
                        "advice": maybe(one_of([advice.value for advice in PromptCachingAdvice])),
                    }
                )
            ),
        }
    ),
}
