"""Nobody speaks for somebody else: whoever is named is held against the caller, on every way in."""

import ast
import inspect

from application.use_cases.answer_llm_request import AnswerLlmRequest
from application.use_cases.stored_responses import StoredResponses
from entrypoints.http.asked_about import AskedAbout
from tests.architecture.repository import name_of, naming, tree

MADE_IN = {
    "application/batch_records.py": "rows of a batch, which name nobody",
    "application/caching/judges.py": "calls of our own, which name nobody",
    "application/quality/judging.py": "calls of our own, which name nobody",
    "application/use_cases/answer_batch_line.py": "goes through `begin`",
    "application/use_cases/late_bills.py": "the row of a request whose identities were checked when it began",
    "application/use_cases/manage_cache.py": "stands for a request that nobody makes",
    "application/use_cases/run_provider_batch.py": "goes through `begin`",
    "entrypoints/http/callers.py": "reads headers for those below",
    "entrypoints/http/complete.py": "goes through `begin`, or through AskedAbout",
    "entrypoints/http/llm.py": "goes through `begin`",
    "entrypoints/http/media.py": "goes through `begin`",
}
"""Where it is said who a call is for, and why nobody can be named there whom the caller may not name."""
READ_BY = {
    "asked_about.py",
    "cache.py",
    "callers.py",
    "complete.py",
    "llm.py",
    "media.py",
    "objects.py",
    "responses_resources.py",
    "server.py",
    "tools.py",
}
HEADERS = {b"x-interchange-user-id", b"x-interchange-agent-id"}
BYTES = [prefix + quote for prefix in ("b", "br", "bR") for quote in "'\""]
"""How bytes begin, as `ruff format` writes them."""


def test_identities_are_made_only_where_they_are_checked() -> None:
    found = {
        name_of(path)
        for path in naming(["Attribution"], "application", "entrypoints")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Attribution"
    }

    assert found == set(MADE_IN)


def test_their_headers_are_read_by_one_function_for_callers_that_are_known() -> None:
    literal = {
        name_of(path)
        for path in naming(BYTES, "application", "adapters", "entrypoints")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Constant) and node.value in HEADERS
    }
    readers = {
        path.name
        for path in naming(["read_attribution"], "entrypoints")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Name | ast.FunctionDef)
        and "read_attribution" in (getattr(node, "id", ""), getattr(node, "name", ""))
    }

    assert literal == {"entrypoints/http/callers.py"}
    assert readers == READ_BY


def test_whatever_is_sent_or_explained_is_checked_first() -> None:
    for way_in in (
        AnswerLlmRequest.begin,
        AnswerLlmRequest.take_slot,
        AskedAbout.read,
        StoredResponses._read_by,
    ):
        assert "speak_for(" in inspect.getsource(way_in)
