"""Every way past a guard for SQL that was published, and some that were not."""

import pytest

from adapters.databases.sql_guard import SqlGuard
from domain.connectors.sql_dialect import SqlDialect
from domain.connectors.sql_policy import make_policy
from domain.errors import ToolRefused
from tests.unit.databases.sql_attacks import ATTACKS, DUCK, EVERYWHERE, LITE, MS, MY, ORA, PG

ROWS = 100


@pytest.fixture(scope="module")
def guards() -> dict[SqlDialect, SqlGuard]:
    return {dialect: SqlGuard(make_policy(dialect)) for dialect in SqlDialect}


@pytest.mark.parametrize("dialect", SqlDialect)
@pytest.mark.parametrize("text", EVERYWHERE)
def test_what_no_database_may_be_asked_is_refused_for_each(
    guards: dict[SqlDialect, SqlGuard], dialect: SqlDialect, text: str
) -> None:
    with pytest.raises(ToolRefused) as refusal:
        guards[dialect].check(text, ROWS)

    assert refusal.value.param == "sql"


@pytest.mark.parametrize(("dialect", "text"), ATTACKS)
def test_ways_past_guards_are_refused(
    guards: dict[SqlDialect, SqlGuard], dialect: SqlDialect, text: str
) -> None:
    with pytest.raises(ToolRefused) as refusal:
        guards[dialect].check(text, ROWS)

    assert len(refusal.value.message) < 1000
    assert "\x1b" not in refusal.value.message


@pytest.mark.parametrize(
    ("dialect", "text", "written"),
    [
        (MS, "SELECT 1 DELETE FROM t", "SELECT TOP 100 1 AS [DELETE] FROM [t]"),
        (ORA, 'SELECT "lower"(a) FROM t', "SELECT LOWER(a) FROM t FETCH FIRST 100 ROWS ONLY"),
        (PG, "SELECT /* ; DELETE FROM t */ 1 -- ; DELETE FROM t", "SELECT 1 LIMIT 100"),
        (PG, "SELECT 1 /* a /* b */ ; DELETE FROM t; */", "SELECT 1 LIMIT 100"),
        (PG, "SELECT 1;", "SELECT 1 LIMIT 100"),
        (PG, "SELECT 'x; DELETE FROM t; --' FROM t", "SELECT 'x; DELETE FROM t; --' FROM t LIMIT 100"),
        (PG, "SELECT E'\\'; DELETE FROM t; --'", "SELECT e'''; DELETE FROM t; --' LIMIT 100"),
        (MY, "SELECT 'a\\'; DELETE FROM t; -- '", "SELECT 'a''; DELETE FROM t; -- ' LIMIT 100"),
        (MY, "SELECT 'a\\\\'", "SELECT 'a\\\\' LIMIT 100"),
        (LITE, "SELECT 'a\\' FROM t", "SELECT 'a\\' FROM t LIMIT 100"),
        (DUCK, "SELECT s.field FROM t", "SELECT s.field FROM t LIMIT 100"),
    ],
)
def test_what_looks_like_an_attack_to_one_reader_has_no_effect(
    guards: dict[SqlDialect, SqlGuard], dialect: SqlDialect, text: str, written: str
) -> None:
    assert guards[dialect].check(text, ROWS).text == written


@pytest.mark.parametrize("dialect", SqlDialect)
@pytest.mark.parametrize(
    "text",
    [
        "SELECT " + "(" * 41 + "1" + ")" * 41,
        "SELECT " + "(" * 30_000,
        "SELECT CAST(1 AS " + "decimal(" * 40 + "1" + ")" * 40 + ")",
        "SELECT " + "decimal(" * 40 + "1" + ")" * 40,
        "SELECT " + "- " * 20_000 + "1",
        "SELECT " + "NOT " * 10_000 + "1",
        "SELECT " + "CASE WHEN " * 5_000 + "1",
        "SELECT 1" + "+1" * 8_000,
        "SELECT * FROM t" + " JOIN t x USING (a)" * 31,
        "SELECT '" + "x" * 65_536 + "'",
        "SELECT " + "a," * 12_001 + "a",
        "SELECT " + "[" * 5_000,
        "SELECT " + "'" * 60_001,
        "SELECT 1" + " UNION SELECT 1" * 2_000,
        "SELECT 1 " + "/* */" * 12_001,
    ],
)
def test_what_would_keep_a_parser_busy_is_refused(
    guards: dict[SqlDialect, SqlGuard], dialect: SqlDialect, text: str
) -> None:
    with pytest.raises(ToolRefused):
        guards[dialect].check(text, ROWS)
