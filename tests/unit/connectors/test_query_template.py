"""Queries with places for values: found where the database sees them, and nowhere else."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.connectors.query_template import ParameterStyle, bind, check_template, placeholders
from domain.connectors.sql_dialect import SqlDialect
from domain.connectors.sql_tokens import SqlUnreadable, tokens
from domain.errors import InvalidConfiguration

PG, MY, ORA, MS, LITE, DUCK = (
    SqlDialect.POSTGRES,
    SqlDialect.MYSQL,
    SqlDialect.ORACLE,
    SqlDialect.TSQL,
    SqlDialect.SQLITE,
    SqlDialect.DUCKDB,
)
INT = {"type": "integer"}


@pytest.mark.parametrize(
    ("dialect", "quoted"),
    [
        (PG, "':x'"),
        (PG, "'it''s :x'"),
        (PG, r"'back\' , :a, ' :x'"),
        (PG, r"E'\' :x'"),
        (PG, r"e'a''\\\' :x'"),
        (PG, "$$ ' :x $$"),
        (PG, "$tag$ :x $$ :x $tag$"),
        (PG, "U&'\\0061 :x'"),
        (PG, "B'1' || ':x'"),
        (PG, '"col :x ""quoted"" "'),
        (PG, "/* :x /* :x */ :x */ 1"),
        (PG, "1 -- :x ' \n"),
        (PG, "a::x"),
        (PG, "f(b := 1)"),
        (MY, r"'\' :x'"),
        (MY, r'"\" :x"'),
        (MY, "`:x`` :x`"),
        (MY, "1 # :x\n"),
        (MY, "1 -- :x\n"),
        (MY, "1 /* :x */"),
        (ORA, "q'[it's :x]'"),
        (ORA, "Q'!it's :x!'"),
        (ORA, "nq'{it's :x}'"),
        (ORA, "q'(:x)'"),
        (ORA, "q'<:x>'"),
        (MS, "[:x]] :x]"),
        (MS, "N':x'"),
        (MS, '":x"'),
        (MS, "/* /* :x */ :x */ 1"),
        (LITE, "[:x]"),
        (LITE, "`:x`"),
        (LITE, r"'\' || :a || ':x'"),
        (DUCK, "$$ :x $$"),
        (DUCK, r"E'\' :x'"),
    ],
)
def test_what_looks_like_a_placeholder_inside_quotes_and_comments_is_none(
    dialect: SqlDialect, quoted: str
) -> None:
    text = f"SELECT {quoted}, :a"

    assert placeholders(text, dialect) == ("a",)


def test_a_minus_sign_twice_is_a_comment_in_mysql_only_before_a_space() -> None:
    assert placeholders("SELECT 1--:a", MY) == ("a",)
    assert placeholders("SELECT 1--:a", PG) == ()


@pytest.mark.parametrize(
    ("style", "expected", "names"),
    [
        (ParameterStyle.NUMBERED, "SELECT '%:a', $1, $2, $1 % 2", ("a", "b")),
        (ParameterStyle.PERCENT, "SELECT '%%:a', %s, %s, %s %% 2", ("a", "b", "a")),
        (ParameterStyle.COLON, "SELECT '%:a', :1, :2, :3 % 2", ("a", "b", "a")),
        (ParameterStyle.QUESTION, "SELECT '%:a', ?, ?, ? % 2", ("a", "b", "a")),
    ],
)
def test_places_are_written_as_the_driver_wants_them(
    style: ParameterStyle, expected: str, names: tuple[str, ...]
) -> None:
    bound = bind("SELECT '%:a', :a, :b, :a % 2", MY, style)

    assert bound == (expected, names)
    assert bound.positional({"a": 1, "b": 2}) == [{"a": 1, "b": 2}[name] for name in names]


@pytest.mark.parametrize(
    ("sql", "parameters", "dialect", "param"),
    [
        ("", {}, PG, "q.sql"),
        ("SELECT 1;", {}, PG, "q.sql"),
        ("SELECT 1; DROP TABLE t", {}, PG, "q.sql"),
        ("SELECT ':a", {"a": INT}, PG, "q.sql"),
        ("SELECT /* :a", {"a": INT}, PG, "q.sql"),
        ("SELECT :a", {}, PG, "q.sql"),
        ("SELECT 1", {"a": INT}, PG, "q.parameters.a"),
        ("SELECT :a", {"a": INT, "b-c": INT}, PG, "q.parameters"),
        ("SELECT $1", {}, PG, "q.sql"),
        ("SELECT ?", {}, LITE, "q.sql"),
        ("SELECT @a", {}, LITE, "q.sql"),
        ("SELECT :1 FROM dual", {}, ORA, "q.sql"),
        ("SELECT ?", {}, MS, "q.sql"),
        ("SELECT /*!50000 :a */ 1", {"a": INT}, MY, "q.sql"),
        ("SELECT /* /* */ 1 */", {}, MY, "q.sql"),
        ("SELECT :a", {"a": {"type": "object"}}, PG, "q.parameters.a"),
        ("SELECT :a", {"a": {"type": ["array", "null"]}}, MY, "q.parameters.a"),
        ("SELECT E'a'\n'\\' :a", {}, PG, "q.sql"),
        ("SELECT 1e'a'", {}, PG, "q.sql"),
        ("SELECT 1 -- a\rb", {}, PG, "q.sql"),
        ("SELECT '" + "x" * 65_536 + "'", {}, PG, "q.sql"),
        ("SELECT '\0'", {}, PG, "q.sql"),
    ],
)
def test_a_template_that_can_never_work_is_refused_when_it_is_configured(
    sql: str, parameters: dict[str, dict[str, Any]], dialect: SqlDialect, param: str
) -> None:
    with pytest.raises(InvalidConfiguration) as refusal:
        check_template(sql, dialect, parameters, "q")

    assert refusal.value.param == param


def test_a_template_with_a_list_is_taken_where_lists_are_values() -> None:
    for dialect in (PG, DUCK):
        check_template("SELECT * FROM t WHERE id = ANY(:ids)", dialect, {"ids": {"type": "array"}}, "q")


SQL_PIECES = st.lists(
    st.one_of(
        st.sampled_from("'\"`[]#\\%?1x;é \n"),
        st.sampled_from(
            [":a", "::b", ":=", "$$", "$t$", "E'", "q'[", "]'", "--", "/*", "*/", "N'", "U&'", "@v"]
        ),
    ),
    max_size=30,
).map("".join)


@given(text=SQL_PIECES, dialect=st.sampled_from(SqlDialect), style=st.sampled_from(ParameterStyle))
@settings(max_examples=400, deadline=None)
def test_binding_changes_placeholders_and_nothing_else(
    text: str, dialect: SqlDialect, style: ParameterStyle
) -> None:
    try:
        found = tokens(text, dialect)
    except SqlUnreadable:
        return
    bound = bind(text, dialect, style)

    assert "".join(token.text for token in found) == text
    assert bound.text.count("%s") >= (len(bound.names) if style is ParameterStyle.PERCENT else 0)
    if style is ParameterStyle.PERCENT:
        formatted = bound.text % tuple(f":{name}" for name in bound.names)
    else:
        formatted = _with_names_back(text, bound.text, bound.names, dialect, style)
    assert formatted == text


def _with_names_back(
    original: str, text: str, names: tuple[str, ...], dialect: SqlDialect, style: ParameterStyle
) -> str:
    """Walks both: literals, comments and everything else must be equal, places must name the same."""
    seen = 0
    position = 0
    for token in tokens(original, dialect):
        if token.kind.name != "PLACEHOLDER":
            assert text.startswith(token.text, position)
            position += len(token.text)
            continue
        if style is ParameterStyle.NUMBERED:
            place = f"${names.index(token.text[1:]) + 1}"
        else:
            assert names[seen] == token.text[1:]
            place = "?" if style is ParameterStyle.QUESTION else f":{seen + 1}"
        seen += 1
        assert text.startswith(place, position)
        position += len(place)
    assert position == len(text)
    return original


@given(value=st.text(max_size=40), dialect=st.sampled_from([PG, MS, LITE, ORA, DUCK]))
@settings(max_examples=150, deadline=None)
def test_a_literal_that_is_quoted_properly_is_one_token(value: str, dialect: SqlDialect) -> None:
    if "\0" in value:
        return
    literal = "'" + value.replace("'", "''") + "'"

    assert literal in [token.text for token in tokens(f"SELECT {literal}, :a", dialect)]
    assert placeholders(f"SELECT {literal}, :a", dialect) == ("a",)


def test_reading_takes_time_by_length_only() -> None:
    hostile = "'" * 65_535

    with pytest.raises(SqlUnreadable):
        tokens(hostile, PG)
