"""`interchange backtest`: what is asked, what is shown, and what is said of what cannot be asked."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from entrypoints.cli.backtest import figure, moment, policy_of, share_of, show

NOW = datetime(2026, 1, 8, tzinfo=UTC)


def answer(**said: Any) -> dict[str, Any]:
    """What a server says of a route that nobody asked."""
    nothing = dict.fromkeys(("values", "effective_sample", "logged", "ips", "snips", "estimate", "change"))
    refusal = {"code": "no_requests", "message": "nobody asked this route in this time"}
    return {
        "route": "chat",
        "from": "2026-01-01T00:00:00.123456+00:00",
        "to": "2026-01-08T00:00:00+00:00",
        "truncated": False,
        "requests": 0,
        "decisions": 0,
        "drawn": 0,
        "left_out": {},
        "metrics": [
            {"metric": "cost", "unit": "usd", "verdict": "refused", "refusals": [refusal], **nothing}
        ],
        "repricing": {
            "requests": 0,
            "billed_usd": "0",
            "targets": [dict.fromkeys(("same_output_usd", "half_output_usd", "twice_output_usd"), "0")],
        },
        **said,
    }


def shown(found: dict[str, Any]) -> str:
    command = click.Command("show", callback=lambda: show(found))
    return CliRunner().invoke(command, catch_exceptions=False).output


def test_without_requests_it_says_so_and_prices_nothing() -> None:
    said = shown(answer())

    assert "2026-01-01T00:00:00Z to 2026-01-08T00:00:00Z: 0 requests" in said
    assert "Not concluded: nobody asked this route in this time." in said
    assert "Repricing" not in said


def test_a_change_is_also_a_share_of_what_was_recorded() -> None:
    interval = {"value": 2.0, "low": 1.5, "high": 2.5}
    change = {"value": -2.0, "low": -2.5, "high": -1.5}
    one = {
        "metric": "cost",
        "unit": "usd",
        "verdict": "lower",
        "refusals": [],
        "effective_sample": 300.0,
        "logged": {**interval, "value": 4.0},
        "snips": interval,
        "estimate": interval,
        "change": change,
    }

    assert "-2 (-2.5 to -1.5), -50.0 %" in shown(answer(metrics=[one]))
    assert share_of(0.5, 0.0) == ""
    assert [figure(each) for each in (12_345.6, -0.20254, 2.4e-7, 0)] == [
        "12,346",
        "-0.2025",
        "2.400e-07",
        "0",
    ]


def test_spans_and_times_are_understood_and_others_are_explained() -> None:
    assert moment("7d", NOW, "--since") == "2026-01-01T00:00:00+00:00"
    assert moment("2026-01-02T00:00:00Z", NOW, "--since") == "2026-01-02T00:00:00Z"
    for wrong in ("1w", "yesterday", "999999d", ""):
        with pytest.raises(click.UsageError, match=r"--until: .* neither a span such as 30m, 12h or 7d"):
            moment(wrong, NOW, "--until")


def test_policies_are_files_or_names(tmp_path: Path) -> None:
    written = tmp_path / "policy.json"
    written.write_text(json.dumps({"strategy": "cost", "targets": ["a/m"]}))

    assert policy_of("cheap") == "cheap"
    assert policy_of(str(written)) == {"strategy": "cost", "targets": ["a/m"]}
    with pytest.raises(click.UsageError, match=r"none\.yaml: No such file or directory$"):
        policy_of(str(tmp_path / "none.yaml"))
    written.write_text("[1]")
    with pytest.raises(click.UsageError, match="`strategy` and `targets` are expected"):
        policy_of(str(written))
