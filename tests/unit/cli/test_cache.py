"""`interchange cache`: what it asks the server, and what it says."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.fake_server import fake_server
from tests.unit.cli.test_commands import Runner, quiet_place, run

__all__ = ["quiet_place", "run"]

PATH = "/api/v1/cache"
KEY = "ab" * 32
STATUS: dict[str, Any] = {
    "status": "ok",
    "mode": "verified",
    "routes": 2,
    "suspended": False,
    "l1": {"enabled": True},
    "l2": {"enabled": True, "status": "up"},
    "semantic": {"enabled": True},
    "process": None,
    "usage": {
        "lookups": 10,
        "hits": 4,
        "hit_ratio": 0.4,
        "saved_usd": "0.25",
        "lines": [
            {"route": "[b]faq", "cache": "hit-l1", "requests": 4, "saved_usd": "0.25", "cost_usd": "0"}
        ],
    },
}
ANSWER: dict[str, Any] = {
    "key": KEY,
    "route": "faq",
    "target": "acme/small",
    "provider": "acme",
    "model": "small",
    "finish_reason": "stop",
    "input_tokens": 3,
    "output_tokens": 2,
    "cost_usd": None,
    "bytes": 10,
    "made_at": "2026-03-01T12:00:00+00:00",
    "expires_at": "2026-03-01T13:00:00+00:00",
    "kept_until": "2026-03-01T13:00:00+00:00",
}
EXPLANATION: dict[str, Any] = {
    "route": "faq",
    "mode": "observe",
    "cache": "observe",
    "reason": None,
    "would": "hit-semantic",
    "suspended": False,
    "key": KEY,
    "partition": {
        "scope": "tenant",
        "namespace": "",
        "route_version": "0123456789",
        "policy_version": "",
        "dialect": "openai.chat",
        "form": "whole",
    },
    "l1": None,
    "l2": {"state": "stale", "age_s": 70.0, "fresh_for_s": -10.0, **ANSWER},
    "l2_down": False,
    "similar": {
        "reason": None,
        "candidate": {
            "question": "Hi\x1b[2J there",
            "similarity": 0.93,
            "guarded": None,
            "p_low": 0.991,
            "decided_by": "sure",
            "would_serve": True,
            **ANSWER,
        },
    },
}
INVALIDATED = {"kind": "tag", "value": "faq", "matched": None, "heard_by_all_within_s": 1.0}


def test_status_tells_what_was_saved(run: type[Runner]) -> None:
    with fake_server({f"{PATH}?tenant_id=acme": (200, STATUS)}) as server:
        result = run("cache", "status", "--tenant", "acme", "--url", server.url, "--key", "k")

    assert "mode verified, 2 routes cache, second tier up" in result.out
    assert "4 hits of 10 look-ups (40.0%), $0.25 saved" in result.out and "[b]faq" in result.out


def test_an_explanation_is_read_aloud(run: type[Runner]) -> None:
    with fake_server({f"{PATH}/explain": (200, EXPLANATION)}) as server:
        result = run(
            "cache", "explain", "faq", "--prompt", "Hi", "--user", "u1", "--namespace", "v2",
            "--url", server.url, "--key", "k",
        )  # fmt: skip

    assert server.asked[0].body["messages"] == [{"role": "user", "content": "Hi"}]
    assert server.asked[0].headers["x-interchange-user-id"] == "u1"
    assert server.asked[0].headers["x-interchange-cache-namespace"] == "v2"
    assert "there is: hit-semantic" in result.out and "l1: nothing" in result.out
    assert "l2: stale, 70 s old, not fresh since 10 s" in result.out
    assert "similarity 0.930, right with at least 99.10%: would be served" in result.out
    assert "\x1b" not in result.out


def test_an_explanation_takes_a_whole_body(run: type[Runner], tmp_path: Path) -> None:
    (tmp_path / "body.json").write_text('{"messages": [], "temperature": 0}')
    with fake_server({f"{PATH}/explain": (200, EXPLANATION)}) as server:
        run("cache", "explain", "faq", "--body-file", "body.json", "--url", server.url, "--key", "k")

    assert server.asked[0].body == {"model": "faq", "messages": [], "temperature": 0}


def test_an_entry_is_shown_with_its_words_when_they_are_wanted(run: type[Runner]) -> None:
    entry = {**ANSWER, "tiers": ["l1"], "namespace": "", "tags": ["faq"]}
    whole = {**entry, "question": "Hi", "body": "{}\n\x1b[2J"}
    answers = {f"{PATH}/entries/{KEY}": (200, entry), f"{PATH}/entries/{KEY}?body=1": (200, whole)}
    with fake_server(answers) as server:
        short = run("cache", "show", KEY, "--url", server.url, "--key", "k").out
        long = run("cache", "show", KEY, "--body", "--url", server.url, "--key", "k").out

    assert "cost usd: unknown" in short and "question" not in short
    assert "question: Hi" in long and "\x1b" not in long


@pytest.mark.parametrize(
    ("arguments", "body"),
    [
        (("--tag", "faq"), {"kind": "tag", "value": "faq"}),
        (("--model", "acme/*", "--tenant", "b"), {"kind": "model", "value": "acme/*", "tenant_id": "b"}),
        (("--entry", KEY), {"kind": "entry", "value": KEY}),
        (("--prompt", "How"), {"kind": "prompt", "value": "How"}),
        (("--near", "x", "--similarity", "0.9"), {"kind": "radius", "text": "x", "similarity": 0.9}),
        (("--all",), {"kind": "tenant"}),
        (("--everything",), {"kind": "everything"}),
    ],
    ids=str,
)
def test_an_invalidation_says_what_it_names(
    run: type[Runner], arguments: tuple[str, ...], body: dict[str, Any]
) -> None:
    with fake_server({f"{PATH}/invalidate": (200, INVALIDATED)}) as server:
        result = run("cache", "invalidate", *arguments, "--url", server.url, "--key", "k")

    assert server.asked[0].body == body
    assert "invalidated: tag faq; in force here, and with every other instance within 1 s" in result.out


def test_a_radius_that_took_out_nothing_says_so(run: type[Runner]) -> None:
    answer = {**INVALIDATED, "kind": "radius", "value": "", "matched": 0}
    with fake_server({f"{PATH}/invalidate": (200, answer)}) as server:
        result = run(
            "cache", "invalidate", "--near", "x", "--similarity", "1", "--url", server.url, "--key", "k"
        )

    assert "invalidated: radius (0 known questions)" in result.out
    assert "No question near this text is known." in result.err


@pytest.mark.parametrize(
    "arguments", [(), ("--tag", "a", "--route", "b"), ("--near", "x"), ("--tag", "a", "--similarity", "0.5")]
)
def test_an_invalidation_of_nothing_or_of_two_things_is_not_understood(
    run: type[Runner], arguments: tuple[str, ...]
) -> None:
    assert run("cache", "invalidate", *arguments, "--url", "http://127.0.0.1:9", "--key", "k").status == 2


def test_a_file_goes_in_pieces_and_the_cost_with_it(
    run: type[Runner], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("entrypoints.cli.cache.LINES_AT_ONCE", 1)
    (tmp_path / "lines.jsonl").write_text('{"a": 1}\n{"a": 2}\n')
    kept = {"line": 1, "outcome": "kept", "reason": None, "key": KEY, "cost_usd": "0.3"}
    left = {"line": 1, "outcome": "failed", "reason": "model_not_found", "key": None, "cost_usd": "0"}
    answers = {
        f"{PATH}/warm?max_cost_usd=0.5&concurrency=2": (200, {"cost_usd": "0.3", "lines": [kept]}),
        f"{PATH}/warm?max_cost_usd=0.2&concurrency=2": (200, {"cost_usd": "0", "lines": [left]}),
    }
    with fake_server(answers) as server:
        result = run(
            "cache", "warm", "lines.jsonl", "--max-cost-usd", "0.5", "--concurrency", "2",
            "--url", server.url, "--key", "k",
        )  # fmt: skip

    assert [asked.body for asked in server.asked] == [{"a": 1}, {"a": 2}]
    assert result.out == "line 2: failed: model_not_found\n1 kept, 0 skipped, 1 failed, $0.3 spent\n"
    assert result.status == 1


def test_measured_reuse_and_its_forecast_are_told(run: type[Runner]) -> None:
    route = {
        "route": "faq", "mode": "observe", "error_rate_accepted": 0.01, "looked_for": 100, "hits": 20,
        "audited": 10, "wrong": 0, "error_rate_measured": 0.0, "error_rate_low": 0.0, "error_rate_high": 0.31,
        "labels": 30, "strictness": 0.0, "audits_today_usd": "0.01",
        "forecast": {"exact_hits": 5, "similar_hits": 20, "saved_usd": "1.5"},
    }  # fmt: skip
    with fake_server({f"{PATH}/verified": (200, {"routes": [route]})}) as server:
        shown = run("cache", "verified", "--url", server.url, "--key", "k").out
        raw = run("cache", "verified", "--json", "--url", server.url, "--key", "k").out

    assert "0.00% - 31.00%" in shown
    assert "would have answered 5 equal and 20 similar questions and saved $1.5" in shown
    assert json.loads(raw) == {"routes": [route]}


def test_prompt_caches_are_told_by_model(run: type[Runner]) -> None:
    line = {
        "provider": "acme", "model": "small", "route": "faq", "caching": "auto", "input_tokens": 10,
        "hit_share": 0.5, "saved_usd": "0.1", "advice": "switch_on",
    }  # fmt: skip
    with fake_server({f"{PATH}/prompt?route=faq": (200, {"lines": [line]})}) as server:
        shown = run("cache", "prompt", "--route", "faq", "--url", server.url, "--key", "k").out

    assert "acme/small" in shown and "50.00%" in shown and "switch_on" in shown
