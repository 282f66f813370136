"""How values look on pages, and that nothing of anybody's text becomes markup."""

import pytest

from entrypoints.ui.drawing import drawn
from entrypoints.ui.page import Chart, Column, Series, Table
from entrypoints.ui.rendering import at, environment, filled, iso, linked, marked, shown, state_class


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (None, "usd", "\u2013"),
        ("", "text", "\u2013"),
        (0, "usd", "$0"),
        ("0.0000148", "usd", "$0.0000148"),
        (1234.5, "usd", "$1,234.50"),
        (-2, "usd", "-$2.00"),
        ("not money", "usd", "not money"),
        (901, "us", "901 \u00b5s"),
        (15_588, "us", "15.6 ms"),
        (1_500_000, "us", "1.50 s"),
        (9_500_000, "us", "9.50 s"),
        (30, "s", "30 s"),
        (12.34, "s", "12.3 s"),
        (59.96, "s", "1 min"),
        (600, "s", "10 min"),
        (3_600_000_000, "us", "1 h"),
        (5_461, "s", "1 h 31 min"),
        (3_601, "s", "1 h"),
        (86_400, "s", "1 day"),
        (7 * 86_400 + 7_200, "s", "7 days 2 h"),
        (0.8, "usd", "$0.80"),
        ("0.0100", "usd", "$0.01"),
        ("0.00462", "usd", "$0.00462"),
        ("0.000660", "usd", "$0.00066"),
        (0.9823, "share", "98.2 %"),
        (1234567, "number", "1,234,567"),
        (0.12345, "number", "0.123"),
        (True, "flag", "yes"),
        ([1, "b"], "list", "1, b"),
        ({"tenant": "acme"}, "text", "tenant: acme"),
        ("2026-11-21T19:11:02.005733+00:00", "when", "2026-11-21 19:11:02"),
        (1_700_000_000_000_000, "when", "2023-11-14 22:13:20"),
        ("soon", "when", "soon"),
        (1536, "bytes", "1.5 KB"),
    ],
)
def test_a_value_looks_as_people_read_it(value: object, kind: str, text: str) -> None:
    assert shown(value, kind) == text


def test_a_time_without_a_zone_is_utc() -> None:
    assert iso("2026-01-02T03:04:05") == "2026-01-02T03:04:05+00:00"
    assert iso("2026-01-02T03:04:05+02:00") == "2026-01-02T01:04:05+00:00"
    assert iso(None) == ""


def test_a_dotted_path_finds_what_is_inside() -> None:
    assert at({"a": {"b": 1}}, "a.b") == 1
    assert at({"a.b": 2}, "a.b") == 2
    assert at({"a": 1}, "a.b") is None


def test_a_link_never_leaves_its_place() -> None:
    assert linked("/ui/keys/{key_id}", {"key_id": "../x?y#z"}) == "/ui/keys/..%2Fx%3Fy%23z"


def test_states_have_a_colour_only_when_they_are_known() -> None:
    assert [state_class(name) for name in ("ok", "Open", "degraded", "whatever")] == [
        "good",
        "bad",
        "warn",
        "",
    ]


def test_text_of_others_is_escaped_wherever_it_stands() -> None:
    evil = "<script>alert(1)</script>\"'"
    table = Table(
        name="rows",
        title=evil,
        columns=(Column("a", evil, "text", "/x/{a}"), Column("a", "b", "code"), Column("a", "c", "state")),
        rows=[{"a": evil}],
        empty="none",
    )
    parts = environment().get_template("parts.html").make_module({})
    html = str(parts.table(table))  # type: ignore[attr-defined]
    assert "<script" not in html
    assert "&lt;script&gt;" in html


def test_values_of_a_chart_cannot_end_their_script() -> None:
    chart = Chart(name="x", title="x", times_s=[1.0, 2.0], series=[Series("</script><b>", [1.0, 2.0])])
    parts = environment().get_template("parts.html").make_module({})
    html = str(parts.chart(chart))  # type: ignore[attr-defined]
    assert "</script><b>" not in html


def test_a_chart_leaves_gaps_where_nothing_is_known() -> None:
    chart = Chart(
        name="x", title="x", times_s=[1, 2, 3, 4, 5], series=[Series("a", [1.0, 2.0, None, 3.0, 4.0])]
    )
    assert drawn(chart).count("<polyline") == 2
    assert drawn(Chart(name="x", title="x", times_s=[1], series=[Series("a", [1.0])])) == ""


def test_columns_of_wide_screens_are_shown_where_a_row_fills_them() -> None:
    columns = (
        Column("a", "A"),
        Column("b", "B", wide=True),
        Column("c.d", "D", wide=True),
        Column("e", "E", wide=True),
        Column("f", "F", wide=True),
    )
    rows: list[dict[str, object]] = [{"a": None, "b": None, "e": 0, "f": []}, {"b": "", "c": {"d": "x"}}]
    table = Table(name="t", title="T", columns=columns, rows=rows, empty="none")
    assert [column.key for column in filled(table)] == ["a", "c.d", "e"]


def test_words_in_backticks_are_shown_as_code_and_nothing_else_is() -> None:
    assert marked("Give it `cache: {mode: <b>}` & see.") == (
        "Give it <code>cache: {mode: &lt;b&gt;}</code> &amp; see."
    )
    assert marked("<i> and ` alone") == "&lt;i&gt; and ` alone"
