"""Free SQL that may be run: what is made of it, and within which tables."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.databases.sql_guard import SqlGuard
from domain.connectors.sql_dialect import SqlDialect
from domain.connectors.sql_policy import TableName, make_policy
from domain.errors import InvalidConfiguration, ToolRefused
from tests.unit.databases.sql_attacks import ATTACKS, DUCK, LITE, MS, MY, ORA, PG
from tests.unit.databases.sql_questions import QUESTIONS

ASKED = [(dialect, text) for dialect, texts in QUESTIONS.items() for text in texts]
GUARDS = {dialect: SqlGuard(make_policy(dialect)) for dialect in SqlDialect}


@pytest.mark.parametrize(("dialect", "text"), ASKED)
def test_what_agents_ask_passes_and_what_was_written_passes_unchanged(dialect: SqlDialect, text: str) -> None:
    first = GUARDS[dialect].check(text, 100)

    assert GUARDS[dialect].check(first.text, 100) == first
    assert not first.writes


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("SELECT a FROM t", "SELECT a FROM t LIMIT 10"),
        ("SELECT a FROM t LIMIT 5", "SELECT a FROM t LIMIT 5"),
        ("SELECT a FROM t LIMIT 999999999999999999999", "SELECT a FROM t LIMIT 10"),
        ("SELECT a FROM t FETCH FIRST 3 ROWS ONLY", "SELECT a FROM t FETCH FIRST 3 ROWS ONLY"),
        ("SELECT a FROM t FETCH FIRST 30 ROWS ONLY", "SELECT a FROM t LIMIT 10"),
        ("SELECT a FROM t UNION SELECT b FROM u", "SELECT a FROM t UNION SELECT b FROM u LIMIT 10"),
        ("(SELECT a FROM t)", "SELECT a FROM t LIMIT 10"),
    ],
)
def test_no_more_rows_are_asked_for_than_will_be_taken(text: str, written: str) -> None:
    assert GUARDS[PG].check(text, 10).text == written


@pytest.mark.parametrize(
    ("dialect", "listed", "text"),
    [
        (PG, ["orders"], "SELECT * FROM orders"),
        (PG, ["orders"], "SELECT * FROM ORDERS"),
        (PG, ["orders"], "SELECT * FROM public.orders AS o WHERE o.id = 1"),
        (PG, ["public.orders"], 'SELECT * FROM "orders"'),
        (PG, ['"Orders"'], 'SELECT * FROM "Orders"'),
        (PG, ["sales.orders"], "SELECT * FROM sales.orders"),
        (PG, ["orders"], "WITH x AS (SELECT * FROM orders) SELECT * FROM x, x AS y"),
        (MY, ["orders"], "SELECT * FROM `orders`"),
        (MS, ["orders"], "SELECT * FROM [DBO].[Orders]"),
        (ORA, ["orders"], 'SELECT * FROM "ORDERS"'),
        (ORA, ["user_orders"], "SELECT * FROM user_orders"),
        (LITE, ["orders"], "SELECT * FROM Orders"),
        (DUCK, ["orders"], "SELECT * FROM main.orders"),
    ],
)
def test_listed_tables_are_found_as_the_database_would(
    dialect: SqlDialect, listed: list[str], text: str
) -> None:
    assert SqlGuard(make_policy(dialect, tables=listed)).check(text, 10).tables


@pytest.mark.parametrize(
    ("dialect", "listed", "text"),
    [
        (PG, ["orders"], "SELECT * FROM customers"),
        (PG, ["orders"], 'SELECT * FROM "Orders"'),
        (PG, ["orders"], "SELECT * FROM secret.orders"),
        (PG, ["sales.orders"], "SELECT * FROM orders"),
        (PG, ["orders"], "SELECT * FROM orders WHERE id IN (SELECT id FROM customers)"),
        (PG, ["orders"], "SELECT * FROM orders JOIN customers USING (id)"),
        (PG, ["orders"], "SELECT (SELECT max(id) FROM customers) FROM orders"),
        (PG, ["orders"], "SELECT 1 UNION SELECT id FROM customers"),
        (PG, ["orders"], "WITH orders AS (SELECT * FROM customers) SELECT * FROM orders"),
        (PG, ["orders"], "WITH customers AS (SELECT * FROM customers) SELECT * FROM customers"),
        (PG, ["orders"], "WITH a AS (SELECT * FROM b), b AS (SELECT * FROM orders) SELECT * FROM a"),
        (PG, ["orders"], "WITH RECURSIVE a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a"),
        (PG, ["orders"], 'WITH "ORDERS" AS (SELECT 1) SELECT * FROM orders'),
        (PG, ["orders"], "SELECT customers.id FROM orders"),
        (PG, ["orders"], "SELECT * FROM orders ORDER BY (SELECT 1 FROM customers)"),
        (PG, ["orders"], "SELECT * FROM orders LIMIT (SELECT count(*) FROM customers)"),
        (PG, [], "SELECT * FROM orders"),
        (MY, ["orders"], "SELECT * FROM other.orders"),
        (MY, ["orders"], "SELECT * FROM Orders"),
        (MS, ["orders"], "SELECT * FROM other.orders"),
        (MS, ["orders"], "SELECT * FROM db.dbo.orders"),
        (ORA, ["orders"], 'SELECT * FROM "orders"'),
        (ORA, ["orders"], "SELECT * FROM scott.orders"),
        (ORA, None, "SELECT * FROM user_tables"),
        (LITE, ["orders"], "SELECT * FROM customers"),
        (DUCK, ["orders"], "SELECT * FROM other.orders"),
    ],
)
def test_other_tables_are_refused_wherever_they_stand(
    dialect: SqlDialect, listed: list[str] | None, text: str
) -> None:
    with pytest.raises(ToolRefused):
        SqlGuard(make_policy(dialect, tables=listed)).check(text, 10)


def test_a_listed_table_is_written_with_its_schema_so_that_no_other_is_found_first() -> None:
    guard = SqlGuard(make_policy(PG, tables=["orders"], default_schema="Shop"))

    found = guard.check("SELECT orders.id FROM orders", 10)

    assert found.text == 'SELECT orders.id FROM "Shop".orders LIMIT 10'
    assert found.tables == {TableName("Shop", "orders")}


@pytest.mark.parametrize(
    ("dialect", "listed"),
    [
        (PG, "pg_authid"),
        (PG, "information_schema.tables"),
        (MY, "mysql.user"),
        (MS, "sys.objects"),
        (LITE, "sqlite_master"),
        (ORA, "dba_users"),
        (PG, "a.b.c"),
        (PG, "a b"),
        (PG, ""),
        (PG, '"a'),
        (DUCK, '"x.csv"'),
    ],
)
def test_tables_that_may_never_be_read_cannot_be_listed(dialect: SqlDialect, listed: str) -> None:
    with pytest.raises(InvalidConfiguration) as refusal:
        make_policy(dialect, tables=["fine", listed])

    assert refusal.value.param == "free_sql.tables.1"


def test_functions_of_the_owner_can_be_allowed_by_name_and_schema() -> None:
    guard = SqlGuard(make_policy(PG, functions=["similarity", "shop.net_price"]))

    assert guard.check("SELECT similarity(a, 'x'), shop.net_price(b) FROM t", 10)
    with pytest.raises(ToolRefused):
        guard.check("SELECT other.similarity(a, 'x') FROM t", 10)
    with pytest.raises(ToolRefused):
        guard.check("SELECT net_price(b) FROM t", 10)


@pytest.mark.parametrize(
    "text",
    [
        "INSERT INTO t (a, b) VALUES (1, 'x')",
        "INSERT INTO t (a) SELECT b FROM u",
        "UPDATE t SET a = a + 1 WHERE b = 'x'",
        "DELETE FROM t WHERE a = 1",
    ],
)
@pytest.mark.parametrize("dialect", SqlDialect)
def test_writing_is_allowed_only_where_it_was_allowed(dialect: SqlDialect, text: str) -> None:
    guard = SqlGuard(make_policy(dialect, tables=["t", "u"], write=True))

    assert guard.check(text, 10).writes
    with pytest.raises(ToolRefused):
        GUARDS[dialect].check(text, 10)


@pytest.mark.parametrize(
    "text",
    [
        "DELETE FROM t",
        "UPDATE t SET a = 1",
        "DELETE FROM other WHERE a = 1",
        "UPDATE t SET a = (SELECT b FROM other) WHERE a = 1",
        "WITH gone AS (DELETE FROM t WHERE a = 1 RETURNING a) SELECT * FROM gone",
        "WITH t AS (SELECT 1 AS a) DELETE FROM t WHERE a = 1",
        "INSERT INTO t (a) SELECT pg_sleep(1)",
        "INSERT INTO t (a) VALUES (pg_read_file('x'))",
        "TRUNCATE t",
        "DROP TABLE t",
        "DELETE FROM t WHERE a = 1; DELETE FROM t WHERE a = 2",
        "COPY t FROM PROGRAM 'sh'",
    ],
)
def test_writing_has_bounds_too(text: str) -> None:
    guard = SqlGuard(make_policy(PG, tables=["t"], write=True))

    with pytest.raises(ToolRefused):
        guard.check(text, 10)


async def test_what_was_judged_is_remembered_and_long_texts_hold_nobody_up() -> None:
    guard = SqlGuard(make_policy(PG))
    long = "SELECT a FROM t WHERE b IN (" + ", ".join(str(n) for n in range(2000)) + ")"

    first, second = await guard.admit("SELECT 1", 10), await guard.admit("SELECT 1", 10)
    several = await asyncio.gather(*(guard.admit(long, 10) for _ in range(4)))

    assert first is second
    assert len({each.text for each in several}) == 1
    with pytest.raises(ToolRefused):
        await guard.admit("SELECT pg_sleep(1)", 10)


WORDS = st.sampled_from(
    [word for _, text in [*ATTACKS, *ASKED] for word in text.replace("(", " ( ").replace(",", " , ").split()]
)


@given(text=st.lists(WORDS, max_size=25).map(" ".join), dialect=st.sampled_from(SqlDialect))
@settings(max_examples=250, deadline=None)
def test_random_sql_is_refused_or_written_so_that_it_stays_the_same(text: str, dialect: SqlDialect) -> None:
    for candidate in (text, f"SELECT {text}", f"SELECT a FROM t WHERE {text}"):
        try:
            first = GUARDS[dialect].check(candidate, 10)
        except ToolRefused:
            continue
        assert GUARDS[dialect].check(first.text, 10).text == first.text


@given(text=st.text(max_size=60), dialect=st.sampled_from(SqlDialect))
@settings(max_examples=150, deadline=None)
def test_no_text_breaks_the_guard(text: str, dialect: SqlDialect) -> None:
    try:
        GUARDS[dialect].check(f"SELECT {text}", 10)
    except ToolRefused as refusal:
        assert refusal.message
