"""Invoices in the shapes providers give them."""

import json
from typing import Any

import pytest

from domain.analytics.reconciliation import Billed
from domain.errors import InvalidRequest
from entrypoints.invoices.reading import Columns, read_invoice

OPENAI: dict[str, Any] = {
    "object": "page",
    "data": [
        {
            "object": "bucket",
            "start_time": 1_767_225_600,
            "end_time": 1_767_312_000,
            "results": [
                {"amount": {"value": 0.06, "currency": "usd"}, "line_item": "gpt-4o-2024-08-06, input"},
                {"amount": {"value": 1.1, "currency": "usd"}, "line_item": "gpt-4o-2024-08-06, cached input"},
                {"amount": {"value": 2, "currency": "usd"}, "line_item": None},
            ],
        }
    ],
    "has_more": False,
}
ANTHROPIC: dict[str, Any] = {
    "data": [
        {
            "starting_at": "2026-01-01T00:00:00Z",
            "ending_at": "2026-01-02T00:00:00Z",
            "results": [{"amount": "123.45", "currency": "USD", "model": "claude-x", "description": "d"}],
        }
    ],
    "has_more": False,
}


def read(text: str, **columns: Any) -> list[Billed]:
    return list(read_invoice(text, Columns(**columns)).lines)


def test_openais_costs_are_dollars_by_line_item() -> None:
    assert read(json.dumps(OPENAI)) == [
        Billed("2026-01-01", "gpt-4o-2024-08-06", 60_000_000),
        Billed("2026-01-01", "gpt-4o-2024-08-06", 1_100_000_000),
        Billed("2026-01-01", "", 2_000_000_000),
    ]


def test_anthropics_cost_report_is_in_cents() -> None:
    assert read(json.dumps(ANTHROPIC)) == [Billed("2026-01-01", "claude-x", 1_234_500_000)]


def test_pages_are_read_together_and_a_missing_one_is_told() -> None:
    assert len(read(json.dumps([OPENAI, OPENAI]))) == 6
    with pytest.raises(InvalidRequest, match="more"):
        read(json.dumps({**OPENAI, "has_more": True}))


def test_exported_csv_is_known_by_its_columns() -> None:
    anthropic = (
        "usage_date_utc,model,workspace,api_key,usage_type,context_window,token_type,cost_usd\r\n"
        '2026-01-01,claude-x,Default,"key, one",message,<=200k,input_no_cache,12.34\r\n'
    )
    openai = (
        "start_time,end_time,start_time_iso,end_time_iso,amount_value,amount_currency,line_item\n"
        '1767225600,1767312000,2026-01-01T00:00:00+00:00,x,0.25,usd,"gpt-4o, output"\n'
    )

    assert read(anthropic) == [Billed("2026-01-01", "claude-x", 12_340_000_000)]
    assert read(openai) == [Billed("2026-01-01", "gpt-4o", 250_000_000)]


def test_any_csv_can_be_read_by_naming_its_columns() -> None:
    text = "Tag;x\n"
    with pytest.raises(InvalidRequest, match="no column looks right"):
        read(text + "1;2\n")
    text = 'When,What,Paid\n2026-01-31 23:30:00 -0100,Claude X,"$1,234.50"\n,Total,9999\n\n'
    text = text.replace(" -0100", "-01:00")

    invoice = read_invoice(
        text, Columns(date="when", model="What", cost="Paid", models={"Claude X": "claude-x"})
    )

    assert invoice.lines == (Billed("2026-02-01", "claude-x", 1_234_500_000_000),)
    assert invoice.left_out == ("line 3 has no date",)


def test_a_list_of_objects_is_a_table() -> None:
    assert read('[{"date": "2026-01-01", "model": "m", "cost": 0.1}]') == [
        Billed("2026-01-01", "m", 100_000_000)
    ]


def test_credits_are_negative() -> None:
    assert read("date,cost\n2026-01-01,-5\n") == [Billed("2026-01-01", "", -5_000_000_000)]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("date,cost\n2026-01-01,much\n", "line 2: 'much'"),
        ("date,cost\n2026-01-01,1\n2026-13-01,1\n", "line 3"),
        ("date,cost\n2026-01-01,\n", "no amount"),
        ("date,cost\n2026-01-01,1e999\n", "line 2"),
        ("date,cost\n2026-01-01,nan\n", "line 2"),
        ("date,cost,currency\n2026-01-01,1,EUR\n", "only USD"),
        ("{", "not valid JSON"),
        ('{"data": [{}]}', "no results"),
        ('{"data": [{"start_time": "x", "results": [{"amount": {"value": 1}}]}]}', r"data\[0\]"),
        ("[1]", "neither"),
        ("[" * 100_000, "not valid JSON"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(text: str, told: str) -> None:
    with pytest.raises(InvalidRequest, match=told):
        read(text)


def test_another_currency_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="EUR"):
        read("date,cost\n2026-01-01,1\n", currency="EUR")
