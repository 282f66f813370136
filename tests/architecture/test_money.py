"""No way leads to a bill past the budgets: every call outwards stands in one of these tables.

Somebody who adds a way that may be billed finds these tests failing, and either holds money for it as
`application/attempts.py` does or says here why it is free of charge.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.repository import modules, name_of, text, tree

BILLED_CALLS = {
    # A call to a model: `AttemptLoop` holds its worst cost before (see below).
    ("application/attempts.py", "attempt.provider.complete"),
    ("application/stream_opening.py", "attempt.provider.open_stream"),
    # A provider's own batch: `choose` sets the bound of all its lines aside before.
    ("application/use_cases/run_provider_batch.py", "self._providers.submit"),
}
THROUGH_THE_PIPELINE = {
    ("application/use_cases/answer_llm_request.py", "self._attempts.complete"),
    ("application/use_cases/answer_batch_line.py", "self._pipeline.complete"),
    ("entrypoints/http/llm.py", "pipeline.complete"),
    ("application/use_cases/answer_llm_request.py", "cache.complete"),
    ("application/caching/gateway_embeddings.py", "pipeline.complete"),
    ("application/caching/beside.py", "pipeline.complete"),
    ("application/caching/judges.py", "pipeline.complete"),
    ("application/experiments/shadow_calls.py", "pipeline.complete"),
    ("application/quality/judging.py", "pipeline.complete"),
    ("application/use_cases/warm_cache.py", "pipeline.complete"),
    # Of a kept answer to an idempotency key; nothing is sent.
    ("entrypoints/http/llm.py", "self._gate.book.complete"),
    ("entrypoints/http/tools.py", "self._gate.book.complete"),
    # Asks the tool by `_asked_outside`, which makes a `ToolAttempt`.
    ("application/tools/execute.py", "self._cache.complete"),
    # Work for a thread of this process.
    ("application/privacy/offloading.py", "self._threads.submit"),
}
FREE_RESOURCES = {
    "application/use_cases/stored_responses.py": "fetches, deletes, cancels what was billed when made",
    "application/use_cases/late_bills.py": "fetches a finished answer to learn its bill",
    "adapters/providers/batches.py": "everything around a provider's batch; `submit` is in BILLED_CALLS",
}
SENDERS = {
    "adapters/audit/sinks.py": "checkpoints of the audit trail",
    "adapters/guardrails/webhook.py": "texts to a guardrail of the operator's own",
    "adapters/otlp/exporter.py": "traces to the operator's collector",
    "adapters/vault_transit/keys.py": "data keys to wrap and unwrap",
    "adapters/identity/fetching.py": "keys and logins of issuers",
    "adapters/wire/exchange.py": "behind LlmProvider",
    "adapters/providers/replicate.py": "behind LlmProvider: polls and cancels predictions",
    "adapters/providers/resources.py": "behind ProviderResources, whose users are in FREE_RESOURCES",
    "adapters/providers/llm_kind.py": "asks which models there are, which is free",
    "adapters/providers/token_requests.py": "access tokens of clouds",
    "adapters/providers/aws_sources.py": "credentials of AWS",
    "adapters/portkey/gateway.py": "asks the gateway whether it is up; model calls go through the exchange",
    "adapters/pricing/feed_sources.py": "fetches price lists",
    "adapters/rest/exchange.py": "calls of REST tools, each within a `ToolAttempt`; and their free checks",
    "adapters/rest/oauth2.py": "access tokens of REST integrations",
    "adapters/storage/gcs_exchange.py": "calls of tools of Google Cloud Storage, and their tokens",
    "adapters/mcp/http.py": "behind the connector of upstream MCP servers, which `ToolAttempt` calls",
    "application/outside.py": "hands on what a tenant may reach: tools and webhooks, no models",
}
LOOP = "application/attempts.py"


def calls(path: Path, *methods: str) -> Iterator[tuple[str, ast.Call]]:
    """Every call of a method of these names, by how the method is named there."""
    if not any(method in text(path) for method in methods):
        return
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in methods:
            yield ast.unparse(node.func), node


def inside(*rooms: str) -> list[Path]:
    return [
        path
        for path in modules(*rooms)
        if not name_of(path).startswith(("entrypoints/simulator/", "entrypoints/cli/"))
    ]


def functions_of(path: str) -> dict[str, ast.FunctionDef | ast.AsyncFunctionDef]:
    (module,) = [each for each in modules("application") if name_of(each) == path]
    nodes = ast.walk(tree(module))
    return {n.name: n for n in nodes if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)}


def uses(function: ast.AST, name: str) -> list[int]:
    """Lines on which a function calls something of that name."""
    return [
        node.lineno
        for node in ast.walk(function)
        if isinstance(node, ast.Call) and _last_name(node.func) == name
    ]


def _last_name(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def test_providers_are_called_where_money_is_held_for_it() -> None:
    found = {
        (name_of(path), name)
        for path in inside("application", "entrypoints")
        for name, _ in calls(path, "complete", "open_stream", "submit")
    }

    assert found == BILLED_CALLS | THROUGH_THE_PIPELINE


def test_tools_are_called_where_money_is_held_for_them() -> None:
    asked = {
        (name_of(path), name)
        for path in inside("application", "entrypoints")
        for name, _ in calls(path, "execute", "stream", "upload")
        if name.rpartition(".")[0].endswith("connector")
    }
    (attempt,) = [p for p in modules("application") if name_of(p) == "application/tools/attempt.py"]
    begins = [n for n in ast.walk(tree(attempt)) if isinstance(n, ast.AsyncFunctionDef) and n.name == "begin"]

    assert {path for path, _ in asked} == {"application/tools/execute.py"}
    assert all(name.startswith("attempt.connector.") for _, name in asked)
    assert "holds.begin" in {ast.unparse(n.func) for n in ast.walk(begins[0]) if isinstance(n, ast.Call)}


def test_the_attempt_loop_holds_before_it_sends() -> None:
    functions = functions_of(LOOP)
    holding = {name for name, node in functions.items() if uses(node, "_funded")}
    sending = {name for name, node in functions.items() if uses(node, "open_attempt") or uses(node, "call")}

    assert holding == {"_run", "_reopen"}
    # `call` is the parameter of `_run` that makes one attempt; both of its values get a held attempt.
    assert sending - holding == {"_open_once"}
    for name, sends in (("_run", "call"), ("_reopen", "open_attempt")):
        assert min(uses(functions[name], "_funded")) < min(uses(functions[name], sends))
    for path in inside("application", "entrypoints"):
        if name_of(path) != LOOP:
            assert not [*calls(path, "_complete_once", "_open_once", "_reopen")], name_of(path)


def test_only_the_pipeline_has_the_attempt_loop() -> None:
    importers = {
        name_of(path)
        for path in inside("application", "entrypoints")
        if "AttemptLoop" in text(path)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ImportFrom)
        and node.module == "application.attempts"
        and any(alias.name == "AttemptLoop" for alias in node.names)
    }

    assert importers == {
        "application/use_cases/answer_llm_request.py",
        "application/use_cases/explain_route.py",  # asks it what is reachable
        "entrypoints/containers.py",
    }


def test_a_batch_is_set_aside_before_it_may_be_handed_over() -> None:
    functions = functions_of("application/use_cases/run_provider_batch.py")
    handed_over = {name for name, node in functions.items() if uses(node, "submit")}

    assert uses(functions["choose"], "_set_aside")
    assert uses(functions["_set_aside"], "set_aside")
    assert handed_over == {"_hand_over"}
    chosen = functions_of("application/use_cases/run_batch.py")["_validate"]
    assert uses(chosen, "choose"), "a target that answers a batch comes from `choose` alone"


def test_every_row_of_an_attempt_says_what_it_did_to_budgets() -> None:
    without = [
        f"{name_of(path)}:{node.lineno}"
        for path in inside("application")
        if "note_attempt" in text(path)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) == "note_attempt"
        and "hold" not in {keyword.arg for keyword in node.keywords}
    ]

    assert not without


def test_resources_of_providers_are_asked_only_for_what_is_free_of_charge() -> None:
    found = {
        name_of(path)
        for path in inside("application", "adapters", "entrypoints")
        for name, _ in calls(path, "fetch", "open")
        if name in {"self._resources.fetch", "self._resources.open", "resources.fetch", "resources.open"}
    }

    assert found == set(FREE_RESOURCES)


def test_bytes_leave_only_where_it_is_known_what_for() -> None:
    found = {
        name_of(path)
        for path in inside("application", "adapters", "entrypoints")
        for name, _ in calls(path, "send")
        if name.endswith("transport.send")
    }

    assert found == set(SENDERS)
