"""What tenant B tries at every route. A route without a row here fails the suite.

`<name>` in paths, queries and bodies stands for one of A's things, and in a second try for one that nobody
has; both answers have to be the same.
"""

from dataclasses import dataclass
from typing import Any, Final

Route = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hidden:
    """B names A's things: refused, and exactly as if there were no such things."""

    path: str = ""
    """Where it differs from the route's own; `<name>` as above."""
    query: str = ""
    body: Any = None
    answered: bool = False
    """It is a rule for B's own things, whether there are any or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """B asks for what is its own, or for what every tenant may see: nothing of A is in it."""

    path: str = ""
    body: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The installation's business: whoever is not of the operator's tenant is refused with 403."""

    path: str = ""
    body: Any = None


Case = Hidden | Own | Refused

_CHAT: Final = {"model": "both", "messages": [{"role": "user", "content": "hello"}]}
_RESPONSE: Final = {"model": "both", "input": "hello"}
_BUDGET: Final = {"name": "b", "scope": {"tenant": "<tenant>"}, "period": "month", "limit_usd": 1}
_LIMIT: Final = {"name": "b", "scope": {"tenant": "<tenant>"}, "per": "hour", "requests": 1}
_EXPERIMENT: Final = {
    "name": "b",
    "route": "both",
    "arms": [{"name": "now", "route": "both"}, {"name": "other", "route": "kept"}],
}
_ROLE: Final = {"permissions": ["usage.read"]}
_GEMINI: Final = {"contents": [{"role": "user", "parts": [{"text": "hello"}]}]}
_EMBEDDING: Final = {"content": {"parts": [{"text": "hello"}]}}
_FROM_A: Final = {"model": "kept", "input": "go on", "previous_response_id": "<response>"}


_ONE: Final = "/api/v1/integrations/{integration_id}"
_ADVICE: Final = "/api/v1/analytics/recommendations"
_HOOK: Final = "/api/v1/webhooks/{endpoint_id}"
_A_HOOK: Final = "/api/v1/webhooks/<webhook>"
_HOOK_BODY: Final = {"url": "https://b.invalid/in"}
_IN_A: Final = "tenant_id=<tenant>"
_CHANGED: Final = {
    "type": "storage",
    "configuration": {"endpoint": "nowhere://b", "authentication": {"type": "none"}},
}
_INTEGRATION: Final = {"integration_id": "mine", **_CHANGED}


def _same(case: Case, *routes: Route) -> dict[Route, tuple[Case, ...]]:
    return dict.fromkeys(routes, (case,))


CASES: Final[dict[Route, tuple[Case, ...]]] = {
    **_same(
        Own(),
        ("GET", "/"),
        ("GET", "/docs"),
        ("GET", "/openapi.json"),
        ("GET", "/health"),
        ("GET", "/health/live"),
        ("GET", "/health/ready"),
        ("GET", "/ready"),
        ("GET", "/cache-status"),
        ("GET", "/v1/models"),
        ("GET", "/v1beta/models"),
        ("GET", "/api/v1/key"),
        ("GET", "/auth/login"),
        ("GET", "/auth/callback"),
        ("GET", "/auth/cli"),
        ("GET", "/auth/session"),
        ("POST", "/auth/key"),
        ("POST", "/auth/logout"),
        ("GET", "/ui"),
        ("GET", "/ui/login"),
        ("GET", "/ui/static/{file:path}"),
        ("GET", "/ui/{page}"),
        ("GET", "/ui/{page}/{item:path}"),
        ("POST", "/ui/{page}/{item:path}"),
        ("GET", "/api/v1/catalog"),
        ("GET", "/api/v1/catalog/statistics"),
        ("GET", "/api/v1/providers/status"),
        ("GET", "/api/v1/cache"),
        ("GET", "/api/v1/cache/prompt"),
        ("GET", "/api/v1/tenants"),
        ("GET", "/api/v1/budgets/unresolved"),
        ("GET", "/api/v1/audit/checkpoints"),
        ("GET", "/api/v1/privacy"),
        ("GET", "/api/v1/guardrails"),
        ("GET", "/api/v1/events"),
        ("GET", "/api/v1/events/schemas"),
    ),
    ("GET", "/api/v1/events/stream"): (Own(path="/api/v1/events/stream?after=0"),),
    ("POST", "/api/v1/webhooks/verify"): (
        Hidden(body={"source": "github", "credentials": ["<secret_name>"], "headers": {}, "body": "{}"}),
    ),
    ("GET", "/api/v1/integrations"): (Own(), Hidden(query="tenant_id=<tenant>")),
    ("POST", "/api/v1/integrations"): (Hidden(query="tenant_id=<tenant>", body=_INTEGRATION),),
    ("GET", _ONE): (Hidden(path="/api/v1/integrations/<integration>"),),
    ("PUT", _ONE): (Hidden(path="/api/v1/integrations/<integration>", body=_CHANGED),),
    ("DELETE", _ONE): (Hidden(path="/api/v1/integrations/<integration>"),),
    ("GET", f"{_ONE}/tools"): (Hidden(path="/api/v1/integrations/<integration>/tools"),),
    ("POST", f"{_ONE}/tools/accept"): (Hidden(path="/api/v1/integrations/<integration>/tools/accept"),),
    ("GET", f"{_ONE}/health"): (Hidden(path="/api/v1/integrations/<integration>/health"),),
    **{
        ("POST", f"{_ONE}/{act}"): (Hidden(path=f"/api/v1/integrations/<integration>/{act}"),)
        for act in ("test", "enable", "disable", "maintenance")
    },
    **{
        (method, f"{_ONE}/objects/{{key:path}}"): (
            Hidden(path="/api/v1/integrations/<integration>/objects/k"),
        )
        for method in ("GET", "PUT", "DELETE")
    },
    ("POST", "/mcp"): (Own(body={"jsonrpc": "2.0", "id": 1, "method": "tools/list"}),),
    ("GET", "/api/v1/webhooks"): (Own(), Hidden(query=_IN_A)),
    ("POST", "/api/v1/webhooks"): (Own(body=_HOOK_BODY), Hidden(query=_IN_A, body=_HOOK_BODY)),
    ("GET", "/api/v1/webhooks/dead-letters"): (Own(), Hidden(query=_IN_A)),
    ("GET", _HOOK): (Hidden(path=_A_HOOK), Hidden(path=_A_HOOK, query=_IN_A)),
    ("PUT", _HOOK): (
        Hidden(path=_A_HOOK, body=_HOOK_BODY),
        Hidden(path=_A_HOOK, query=_IN_A, body=_HOOK_BODY),
    ),
    ("DELETE", _HOOK): (Hidden(path=_A_HOOK), Hidden(path=_A_HOOK, query=_IN_A)),
    **{
        ("POST", f"{_HOOK}/{act}"): (
            Hidden(path=f"{_A_HOOK}/{act}"),
            Hidden(path=f"{_A_HOOK}/{act}", query=_IN_A),
        )
        for act in ("pause", "resume", "rotate-secret", "test")
    },
    ("POST", f"{_HOOK}/replay"): (
        Hidden(path="/api/v1/webhooks/<webhook>/replay", body={"since": "2026-01-01T00:00:00Z"}),
    ),
    ("GET", f"{_HOOK}/deliveries"): (
        Hidden(path=f"{_A_HOOK}/deliveries"),
        Hidden(path=f"{_A_HOOK}/deliveries", query=_IN_A),
    ),
    ("GET", f"{_HOOK}/deliveries/{{delivery_id}}"): (
        Hidden(path="/api/v1/webhooks/<webhook>/deliveries/<delivery>"),
    ),
    ("POST", f"{_HOOK}/deliveries/{{delivery_id}}/retry"): (
        Hidden(path="/api/v1/webhooks/<webhook>/deliveries/<delivery>/retry"),
    ),
    ("GET", "/api/v1/tools"): (Own(), Hidden(query="integration_id=<integration>")),
    ("GET", "/api/v1/tools/{integration_id}/{tool_name}"): (Hidden(path="/api/v1/tools/<integration>/get"),),
    ("POST", "/api/v1/tools/execute"): (
        Hidden(body={"integration_id": "<integration>", "tool_name": "get", "parameters": {"key": "k"}}),
    ),
    ("POST", "/api/v1/privacy/check"): (Own(body={"text": "hello"}),),
    ("POST", "/api/v1/guardrails/check"): (Own(body={"text": "hello"}),),
    ("GET", "/api/v1/privacy/subjects/{user_id:path}"): (Own(path="/api/v1/privacy/subjects/<user>"),),
    ("DELETE", "/api/v1/privacy/subjects/{user_id:path}"): (Own(path="/api/v1/privacy/subjects/<user>"),),
    ("GET", "/api/v1/privacy/erasures"): (Own(),),
    ("GET", "/api/v1/privacy/erasures/{erasure_id}"): (Hidden(path="/api/v1/privacy/erasures/<erasure>"),),
    **_same(
        Refused(),
        ("GET", "/metrics"),
        ("GET", "/api/v1/config"),
        ("GET", "/api/v1/routes"),
        ("GET", "/api/v1/credentials/rotation"),
    ),
    ("GET", "/v1/models/{name:path}"): (Own(path="/v1/models/both"),),
    ("GET", "/v1beta/models/{name:path}"): (Own(path="/v1beta/models/both"),),
    ("GET", "/api/v1/catalog/{id:path}"): (Own(path="/api/v1/catalog/openai/gpt-5-mini"),),
    ("POST", "/v1/chat/completions"): (Own(body=_CHAT), Own(body={**_CHAT, "model": "cached"})),
    ("POST", "/v1/completions"): (Own(body={"model": "both", "prompt": "hello"}),),
    ("POST", "/v1/embeddings"): (Own(body={"model": "both", "input": "hello"}),),
    ("POST", "/v1/moderations"): (Own(body={"model": "both", "input": "hello"}),),
    ("POST", "/v1/rerank"): (Own(body={"model": "both", "query": "q", "documents": ["d"]}),),
    ("POST", "/v1/images/generations"): (Own(body={"model": "both", "prompt": "p"}),),
    ("POST", "/v1/images/edits"): (Own(body={}),),
    ("POST", "/v1/images/variations"): (Own(body={}),),
    ("POST", "/v1/audio/speech"): (Own(body={"model": "both", "input": "i", "voice": "v"}),),
    ("POST", "/v1/audio/transcriptions"): (Own(body={}),),
    ("POST", "/v1/audio/translations"): (Own(body={}),),
    ("POST", "/v1/responses"): (Own(body=_RESPONSE), Hidden(body=_FROM_A)),
    ("GET", "/v1/responses/{response_id}"): (Hidden(path="/v1/responses/<response>"),),
    ("DELETE", "/v1/responses/{response_id}"): (Hidden(path="/v1/responses/<response>"),),
    ("POST", "/v1/responses/{response_id}/cancel"): (Hidden(path="/v1/responses/<response>/cancel"),),
    ("GET", "/v1/responses/{response_id}/input_items"): (
        Hidden(path="/v1/responses/<response>/input_items"),
    ),
    ("POST", "/v1/messages"): (Own(body={**_CHAT, "max_tokens": 10}),),
    ("POST", "/v1/messages/count_tokens"): (Own(body=_CHAT),),
    **{
        ("POST", f"/{version}/models/{{name:path}}:{verb}"): (
            Own(path=f"/{version}/models/both:{verb}", body=body),
        )
        for version in ("v1", "v1beta")
        for verb, body in (
            ("generateContent", _GEMINI),
            ("streamGenerateContent", _GEMINI),
            ("countTokens", _GEMINI),
            ("embedContent", _EMBEDDING),
            ("batchEmbedContents", {"requests": []}),
        )
    },
    ("POST", "/api/v1/llm/complete"): (
        Own(body={"messages": _CHAT["messages"]}),
        Hidden(body={"messages": _CHAT["messages"], "context": {"tenant_id": "<tenant>"}}),
    ),
    ("POST", "/api/v1/playground"): (
        Own(body={"messages": _CHAT["messages"]}),
        Hidden(body={"messages": _CHAT["messages"], "context": {"tenant_id": "<tenant>"}}),
    ),
    ("POST", "/api/v1/routing/explain"): (Own(body={"model": "both"}),),
    ("POST", "/api/v1/routing/backtest"): (Own(body={"route": "both", "policy": "both"}),),
    ("POST", "/v1/files"): (Own(body={}),),
    ("GET", "/v1/files"): (Own(), Own(path="/v1/files?after=<file>")),
    ("GET", "/v1/files/{file_id}"): (Hidden(path="/v1/files/<file>"),),
    ("DELETE", "/v1/files/{file_id}"): (Hidden(path="/v1/files/<file>"),),
    ("GET", "/v1/files/{file_id}/content"): (Hidden(path="/v1/files/<file>/content"),),
    ("POST", "/v1/batches"): (
        Hidden(
            body={"input_file_id": "<file>", "endpoint": "/v1/responses", "completion_window": "24h"},
        ),
    ),
    ("GET", "/v1/batches"): (Own(), Own(path="/v1/batches?after=<batch>")),
    ("GET", "/v1/batches/{batch_id}"): (Hidden(path="/v1/batches/<batch>"),),
    ("POST", "/v1/batches/{batch_id}/cancel"): (Hidden(path="/v1/batches/<batch>/cancel"),),
    ("PUT", "/api/v1/providers/{name}/state"): (
        Refused(path="/api/v1/providers/first/state", body={"state": "maintenance"}),
    ),
    ("PUT", "/api/v1/providers/{name}/breaker"): (
        Refused(path="/api/v1/providers/first/breaker", body={"action": "open"}),
    ),
    ("GET", "/api/v1/keys"): (Own(), Hidden(query="tenant_id=<tenant>")),
    ("POST", "/api/v1/keys"): (
        Hidden(body={"tenant_id": "<tenant>", "name": "mine", "role": "agent"}),
        Hidden(body={"tenant_id": "tenant-b", "name": "mine", "role": "<role>"}),
    ),
    ("GET", "/api/v1/keys/{key_id}"): (Hidden(path="/api/v1/keys/<key>"),),
    ("PUT", "/api/v1/keys/{key_id}"): (Hidden(path="/api/v1/keys/<key>", body={"name": "mine"}),),
    ("DELETE", "/api/v1/keys/{key_id}"): (Hidden(path="/api/v1/keys/<key>"),),
    ("POST", "/api/v1/keys/{key_id}/rotate"): (Hidden(path="/api/v1/keys/<key>/rotate", body={}),),
    ("POST", "/api/v1/tenants"): (Refused(body={"tenant_id": "<tenant>"}),),
    ("GET", "/api/v1/tenants/{tenant_id}"): (Hidden(path="/api/v1/tenants/<tenant>"),),
    ("PUT", "/api/v1/tenants/{tenant_id}"): (
        Refused(path="/api/v1/tenants/<tenant>", body={"state": "suspended"}),
    ),
    ("DELETE", "/api/v1/tenants/{tenant_id}"): (Refused(path="/api/v1/tenants/<tenant>"),),
    ("GET", "/api/v1/tenants/{tenant_id}/projects"): (Hidden(path="/api/v1/tenants/<tenant>/projects"),),
    ("PUT", "/api/v1/tenants/{tenant_id}/projects/{name:path}"): (
        Hidden(path="/api/v1/tenants/<tenant>/projects/<project>", body={}),
    ),
    ("DELETE", "/api/v1/tenants/{tenant_id}/projects/{name:path}"): (
        Hidden(path="/api/v1/tenants/<tenant>/projects/<project>"),
        Hidden(path="/api/v1/tenants/tenant-b/projects/<project>"),
    ),
    ("GET", "/api/v1/roles"): (Own(), Hidden(query="tenant_id=<tenant>")),
    ("POST", "/api/v1/roles"): (Hidden(body={"name": "mine", "tenant_id": "<tenant>", **_ROLE}),),
    ("GET", "/api/v1/roles/{name}"): (
        Hidden(path="/api/v1/roles/<role>"),
        Hidden(path="/api/v1/roles/<role>", query="tenant_id=<tenant>"),
    ),
    ("PUT", "/api/v1/roles/{name}"): (
        Hidden(path="/api/v1/roles/<role>", body={"tenant_id": "<tenant>", **_ROLE}),
    ),
    ("DELETE", "/api/v1/roles/{name}"): (
        Hidden(path="/api/v1/roles/<role>"),
        Hidden(path="/api/v1/roles/<role>", query="tenant_id=<tenant>"),
    ),
    ("GET", "/api/v1/feedback"): (
        Own(),
        Own(path="/api/v1/feedback?request_id=<request>"),
        Hidden(query="tenant_id=<tenant>"),
    ),
    ("POST", "/api/v1/feedback"): (Hidden(body={"request_id": "<request>", "rating": 1}),),
    ("GET", "/api/v1/analytics/quality"): (Own(), Hidden(query="tenant_id=<tenant>")),
    ("GET", "/api/v1/analytics/models/compare"): (
        Own(path="/api/v1/analytics/models/compare?models=small,large"),
        Hidden(query="models=small,large&tenant_id=<tenant>"),
    ),
    ("GET", "/api/v1/sla"): (Own(),),
    ("GET", "/api/v1/alerts"): (Own(),),
    ("GET", "/api/v1/alerts/history"): (Own(),),
    ("GET", "/api/v1/alerts/rules"): (Own(),),
    ("GET", "/api/v1/alerts/{alert_id}"): (Hidden(path="/api/v1/alerts/<alert>"),),
    ("POST", "/api/v1/alerts/{alert_id}/silence"): (
        Hidden(path="/api/v1/alerts/<alert>/silence", body={"for_s": 60}),
    ),
    ("POST", "/api/v1/alerts/{alert_id}/acknowledge"): (Hidden(path="/api/v1/alerts/<alert>/acknowledge"),),
    ("GET", "/api/v1/experiments"): (Own(),),
    ("POST", "/api/v1/experiments"): (Own(body=_EXPERIMENT),),
    ("GET", "/api/v1/experiments/{experiment_id}"): (Hidden(path="/api/v1/experiments/<experiment>"),),
    ("DELETE", "/api/v1/experiments/{experiment_id}"): (Hidden(path="/api/v1/experiments/<experiment>"),),
    ("POST", "/api/v1/experiments/{experiment_id}/start"): (
        Hidden(path="/api/v1/experiments/<experiment>/start"),
    ),
    ("POST", "/api/v1/experiments/{experiment_id}/stop"): (
        Hidden(path="/api/v1/experiments/<experiment>/stop"),
    ),
    ("POST", "/api/v1/experiments/{experiment_id}/promote"): (
        Hidden(path="/api/v1/experiments/<experiment>/promote", body={"arm": "other"}),
    ),
    ("GET", "/api/v1/stops"): (Own(), Hidden(query="tenant_id=<tenant>")),
    ("POST", "/api/v1/stops"): (Hidden(body={"agent_id": "x", "tenant_id": "<tenant>"}),),
    ("DELETE", "/api/v1/stops/{stop_id}"): (Hidden(path="/api/v1/stops/<stop>"),),
    ("GET", "/api/v1/credentials"): (Own(), Hidden(query="tenant_id=<tenant>")),
    ("POST", "/api/v1/credentials"): (Hidden(body={"name": "n", "value": "v", "tenant_id": "<tenant>"}),),
    ("POST", "/api/v1/credentials/rotation"): (Refused(body={}),),
    ("GET", "/api/v1/credentials/{credential_id}"): (Hidden(path="/api/v1/credentials/<credential>"),),
    ("PUT", "/api/v1/credentials/{credential_id}"): (
        Hidden(path="/api/v1/credentials/<credential>", body={"value": "mine"}),
    ),
    ("DELETE", "/api/v1/credentials/{credential_id}"): (Hidden(path="/api/v1/credentials/<credential>"),),
    ("GET", "/api/v1/audit"): (Own(), Hidden(query="tenant_id=<tenant>")),
    ("GET", "/api/v1/audit/proof/{entry_id}"): (Hidden(path="/api/v1/audit/proof/<entry>"),),
    ("GET", "/api/v1/usage"): (Own(), Hidden(query="tenant_id=<tenant>")),
    ("GET", "/api/v1/analytics/costs"): (Own(), Hidden(query="tenant_id=<tenant>")),
    ("GET", "/api/v1/analytics/forecast"): (Own(), Hidden(query="tenant_id=<tenant>")),
    ("GET", "/api/v1/analytics/anomalies"): (Own(), Hidden(query="tenant_id=<tenant>")),
    ("GET", "/api/v1/analytics/savings"): (Own(), Hidden(query="tenant_id=<tenant>")),
    ("GET", "/api/v1/analytics/patterns"): (Own(), Hidden(query="tenant_id=<tenant>")),
    ("GET", "/api/v1/analytics/report"): (Own(), Hidden(query="tenant_id=<tenant>")),
    ("GET", _ADVICE): (Own(), Hidden(query="tenant_id=<tenant>")),
    ("POST", f"{_ADVICE}/refresh"): (Own(), Hidden(query="tenant_id=<tenant>")),
    ("PUT", f"{_ADVICE}/{{optimization_id}}"): (
        Hidden(path=f"{_ADVICE}/<recommendation>", body={"status": "dismissed"}),
        Hidden(path=f"{_ADVICE}/x", body={"status": "dismissed", "tenant_id": "<tenant>"}),
    ),
    ("GET", "/api/v1/requests"): (
        Own(),
        Own(path="/api/v1/requests?key_id=<key>"),
        Hidden(query="tenant_id=<tenant>"),
    ),
    ("GET", "/api/v1/requests/{request_id}"): (Hidden(path="/api/v1/requests/<request>"),),
    ("GET", "/api/v1/requests/{request_id}/content"): (Hidden(path="/api/v1/requests/<request>/content"),),
    ("GET", "/api/v1/cache/entries/{key}"): (Hidden(path="/api/v1/cache/entries/<cached>"),),
    ("DELETE", "/api/v1/cache/entries/{key}"): (
        Hidden(path="/api/v1/cache/entries/<cached>", answered=True),
    ),
    ("POST", "/api/v1/cache/invalidate"): (
        Hidden(body={"kind": "tenant", "value": "<tenant>", "tenant_id": "<tenant>"}),
        Hidden(body={"kind": "entry", "value": "<cached>"}, answered=True),
    ),
    ("POST", "/api/v1/cache/explain"): (Own(body={**_CHAT, "model": "cached"}),),
    ("POST", "/api/v1/cache/warm"): (Own(body={}),),
    ("GET", "/api/v1/cache/verified"): (Own(),),
    ("GET", "/api/v1/budgets"): (Own(), Hidden(query="tenant_id=<tenant>")),
    ("POST", "/api/v1/budgets"): (Hidden(body=_BUDGET),),
    ("POST", "/api/v1/budgets/check"): (Hidden(body={"tenant": "<tenant>"}),),
    ("POST", "/api/v1/budgets/unresolved/resolve"): (Hidden(body={"attempt_id": "<attempt>"}),),
    ("GET", "/api/v1/budgets/{budget_id:path}"): (Hidden(path="/api/v1/budgets/<budget>"),),
    ("PUT", "/api/v1/budgets/{budget_id:path}"): (Hidden(path="/api/v1/budgets/<budget>", body=_BUDGET),),
    ("DELETE", "/api/v1/budgets/{budget_id:path}"): (Hidden(path="/api/v1/budgets/<budget>"),),
    ("GET", "/api/v1/budgets/{budget_id:path}/accounts"): (Hidden(path="/api/v1/budgets/<budget>/accounts"),),
    ("GET", "/api/v1/limits"): (Own(), Hidden(query="tenant_id=<tenant>")),
    ("POST", "/api/v1/limits"): (Hidden(body=_LIMIT),),
    ("GET", "/api/v1/limits/{limit_id:path}"): (Hidden(path="/api/v1/limits/<limit>"),),
    ("PUT", "/api/v1/limits/{limit_id:path}"): (Hidden(path="/api/v1/limits/<limit>", body=_LIMIT),),
    ("DELETE", "/api/v1/limits/{limit_id:path}"): (Hidden(path="/api/v1/limits/<limit>"),),
    ("GET", "/api/v1/routes/{name}"): (Refused(path="/api/v1/routes/both"),),
    ("PUT", "/api/v1/routes/{name}"): (
        Refused(path="/api/v1/routes/mine", body={"targets": ["first/small"]}),
    ),
    ("DELETE", "/api/v1/routes/{name}"): (Refused(path="/api/v1/routes/both"),),
}
