"""What forms say becomes the body of a route of the API, or a sentence about the field."""

import csv
import io
import json
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from domain.errors import InvalidRequest
from entrypoints.budget_objects import BudgetBody
from entrypoints.http.keys import KeyChangeBody
from entrypoints.http.tenants import TenantBody
from entrypoints.limit_objects import LimitBody
from entrypoints.ui.exports import exported
from entrypoints.ui.forms import body_of, kept_of, parse_form, path_of, query_of
from entrypoints.ui.page import KEPT, Act, Column, Field, Page, Table
from entrypoints.ui.pages import PAGES
from entrypoints.ui.rendering import emptiable, written
from entrypoints.webhook_objects import WebhookBody

ACT = Act(
    name="set",
    title="Set",
    method="PUT",
    path="/api/v1/budgets/{budget_id}",
    permission="budgets.write",
    fields=(
        Field("budget_id", "Budget", "path"),
        Field("scope.tenant", "Tenant"),
        Field("limit_usd", "Limit", "number", required=True),
        Field("days", "Days", "whole"),
        Field("alert_at", "Alert at", "list"),
        Field("hard", "Hard", "flag"),
        Field("settings", "Settings", "json"),
    ),
)


def test_a_form_becomes_the_body_and_empty_fields_are_left_out() -> None:
    form = parse_form(b"budget_id=a%2Fb&scope.tenant=acme&limit_usd=1.5&alert_at=0.8%0D%0A+0.9&hard=1&days=")
    assert path_of(ACT, form) == "/api/v1/budgets/a%2Fb"
    assert body_of(ACT, form) == {
        "scope": {"tenant": "acme"}, "limit_usd": 1.5, "alert_at": ["0.8", "0.9"], "hard": True,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("form", "field", "words"),
    [
        ({"limit_usd": ""}, "limit_usd", "missing"),
        ({"limit_usd": "much"}, "limit_usd", "a number"),
        ({"limit_usd": "1", "days": "1.5"}, "days", "whole number"),
        ({"limit_usd": "1", "settings": "{"}, "settings", "JSON"),
        # JSON has no such numbers; as null they would mean "for ever" or "no limit".
        ({"limit_usd": "nan"}, "limit_usd", "a number"),
        ({"limit_usd": "-1e400"}, "limit_usd", "a number"),
        ({"limit_usd": "1", "settings": '{"for_s": Infinity}'}, "settings", "JSON"),
        ({"limit_usd": "1", "settings": '{"for_s": 1e999}'}, "settings", "JSON"),
        # Half a character could be sent nowhere.
        ({"limit_usd": "1", "settings": '{"a": "\\ud800"}'}, "settings", "JSON"),
    ],
)
def test_what_a_field_cannot_mean_is_said_of_that_field(form: dict[str, str], field: str, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words) as refused:
        body_of(ACT, form)
    assert refused.value.param == field


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_list_has_one_value_on_each_line_and_values_may_hold_commas(end: str) -> None:
    assert body_of(ACT, {"limit_usd": "1", "alert_at": f" a, b {end}{end}c\u2028d"}) == {
        "limit_usd": 1.0, "alert_at": ["a, b", "c\u2028d"], "hard": False,
    }  # fmt: skip


LINES = st.lists(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), min_size=1)
    .map(str.strip)
    .filter(bool)
)


@given(LINES)
def test_a_list_comes_back_as_its_form_shows_it(values: list[str]) -> None:
    form = {"limit_usd": "1", "alert_at": written(values, "list")}
    body = body_of(ACT, parse_form(urlencode(form).encode()))
    assert isinstance(body, dict) and body.get("alert_at", []) == values


CHANGE = Act(
    name="change",
    title="Change",
    method="PUT",
    path="/api/v1/keys/{key_id}",
    permission="keys.write",
    fields=(
        Field("key_id", "Key", "path"),
        Field("name", "Name"),
        Field("scopes", "Narrowed to", "list", emptied=None),
        Field("expires_at", "Expires", emptied=None),
        Field("team", "Team", emptied=""),
    ),
)


@pytest.mark.parametrize(
    ("shown", "form", "body"),
    [
        # What was shown and is emptied is cleared; what was changed is changed.
        ("scopes team", {"scopes": " \r\n", "team": ""}, {"scopes": None, "team": ""}),
        ("scopes", {"scopes": "llm.call", "expires_at": ""}, {"scopes": ["llm.call"]}),
        # Nothing stood there when the form was shown: somebody else's bound of today stays.
        ("team", {"scopes": "", "team": "a"}, {"team": "a"}),
        # It was not on the form at all.
        ("scopes expires_at", {"expires_at": ""}, {"expires_at": None}),
        ("", {"scopes": "", "expires_at": ""}, {}),
        # A name that cannot be cleared stays.
        ("name", {"name": ""}, {}),
    ],
)
def test_only_what_was_shown_and_then_emptied_is_cleared(
    shown: str, form: dict[str, str], body: dict[str, Any]
) -> None:
    assert body_of(CHANGE, {**form, "_shown": shown}) == body


def test_a_form_of_a_change_says_what_it_showed() -> None:
    values: dict[str, Any] = {"key_id": "k", "name": "n", "scopes": [], "expires_at": None, "team": "search"}
    assert emptiable(CHANGE, values) == "team"
    assert emptiable(CHANGE, values | {"scopes": ["llm.call"]}) == "scopes team"
    assert emptiable(replace(CHANGE, method="POST"), values) == ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_field_that_can_be_emptied_belongs_to_a_change(page: Page) -> None:
    """What a `POST` makes has nothing to clear; and what has to be there cannot be emptied."""
    emptied = [field for act in page.acts for field in act.fields if field.emptied is not KEPT]
    assert not [field.name for field in emptied if field.required or field.kind in ("path", "flag", "hidden")]
    assert not emptied or any(act.method == "PUT" for act in page.acts)


@pytest.mark.parametrize(
    ("page", "act", "body"),
    [
        ("keys", "change", KeyChangeBody),
        ("tenants", "change", TenantBody),
        ("webhooks", "change", WebhookBody),
        ("budgets", "change", BudgetBody),
        ("limits", "change", LimitBody),
    ],
)
def test_a_change_shows_every_field_that_its_route_takes(page: str, act: str, body: type[Struct]) -> None:
    """What a form lacks a whole replacement would clear, and a part of one could not change."""
    [found] = [each.act(act) for each in PAGES if each.name == page]
    assert found is not None
    named = {field.name.partition(".")[0] for field in found.fields}
    assert set(body.__struct_fields__) <= named


def test_what_a_page_is_asked_for_goes_along_in_the_query_or_in_the_body_and_back() -> None:
    act = Act(
        name="x",
        title="X",
        method="POST",
        path="/api/v1/x/{x_id}",
        permission="x",
        fields=(Field("x_id", "X", "path"), Field("tenant_id", "Tenant", "query"), Field("of", "Of", "kept")),
    )
    form = {"x_id": "1", "tenant_id": "a b", "of": "c"}
    assert (query_of(act, form), body_of(act, form)) == ("tenant_id=a+b", {"of": "c"})
    assert kept_of(act, form) == {"tenant_id": "a b", "of": "c"}
    assert (query_of(act, {}), kept_of(act, {"of": ""}), body_of(act, {})) == ("", {}, {})
    alone = replace(act, fields=act.fields[:2])
    assert body_of(alone, form) is None


def test_a_path_needs_its_parts() -> None:
    with pytest.raises(InvalidRequest, match="Budget is missing"):
        path_of(ACT, {"budget_id": "  "})


def test_an_act_without_fields_has_no_body() -> None:
    act = Act(name="x", title="X", method="POST", path="/api/v1/x", permission="x")
    assert body_of(act, {"csrf": "1"}) is None


@given(st.binary(max_size=200))
def test_any_bytes_are_a_form_or_refused(content: bytes) -> None:
    try:
        parse_form(content)
    except InvalidRequest:
        pass


def table(rows: list[dict[str, Any]]) -> Table:
    return Table(name="t", title="T", columns=(Column("a", "A"), Column("b.c", "C")), rows=rows, empty="none")


def test_an_export_has_every_column_and_no_formula() -> None:
    answer = exported(table([{"a": "=cmd()", "b": {"c": -1.5}}, {"a": "-3", "b": {}}]), "csv")
    rows = list(csv.reader(io.StringIO(bytes(answer.body).decode())))
    assert rows == [["a", "b.c"], ["'=cmd()", "-1.5"], ["-3", ""]]
    assert answer.headers["content-disposition"] == 'attachment; filename="t.csv"'


def test_an_export_as_json_is_the_rows_as_they_are() -> None:
    rows = [{"a": "=x", "b": {"c": 1}, "d": None}]
    assert json.loads(bytes(exported(table(rows), "json").body)) == rows
