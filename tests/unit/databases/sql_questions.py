"""What agents ask of a table `people (id, name)`: each has to pass the guard and mean the same afterwards."""

from domain.connectors.sql_dialect import SqlDialect

PG, MY, ORA, MS, LITE, DUCK = (
    SqlDialect.POSTGRES,
    SqlDialect.MYSQL,
    SqlDialect.ORACLE,
    SqlDialect.TSQL,
    SqlDialect.SQLITE,
    SqlDialect.DUCKDB,
)
PLAIN = [
    "SELECT id, name FROM people ORDER BY id",
    "select * from people where id = 2",
    "SELECT count(*) FROM people",
    "SELECT COUNT(DISTINCT name) AS n, MIN(id), MAX(id), SUM(id) FROM people",
    "SELECT p.id FROM people p JOIN people q ON p.id = q.id WHERE q.name <> 'it''s -- /* not */ ; "
    "a comment' ORDER BY 1",
    "SELECT id FROM people WHERE name IN ('Ada', 'Grace') AND NOT (id = 1) ORDER BY id DESC",
    "SELECT id FROM people WHERE id BETWEEN 1 AND 2 AND name LIKE '%a%' AND name IS NOT NULL ORDER BY id",
    "SELECT CASE WHEN id > 1 THEN 'many' ELSE 'one' END AS size, COUNT(*) FROM people GROUP BY"
    " CASE WHEN id > 1 THEN 'many' ELSE 'one' END ORDER BY 1",
    "WITH big AS (SELECT id FROM people WHERE id > 1) SELECT b.id FROM big b ORDER BY b.id",
    "WITH a AS (SELECT id FROM people), b AS (SELECT id + 1 AS id FROM a) SELECT id FROM b ORDER BY id",
    "SELECT id FROM people WHERE EXISTS (SELECT 1 FROM people q WHERE q.id = people.id + 1) ORDER BY id",
    "SELECT id FROM people UNION ALL SELECT id + 10 FROM people ORDER BY 1",
    "SELECT UPPER(name), LOWER(name), COALESCE(name, '?'), ABS(-id), ROUND(id * 1.5, 1) FROM "
    "people ORDER BY id",
    "SELECT id, ROW_NUMBER() OVER (ORDER BY id DESC) AS r, SUM(id) OVER (ORDER BY id) FROM people "
    "ORDER BY id",
    "SELECT name, COUNT(*) FROM people GROUP BY name HAVING COUNT(*) >= 1 ORDER BY name",
    "SELECT (SELECT MAX(q.id) FROM people q) - id FROM people ORDER BY id",
    "SELECT x.n FROM (SELECT id AS n FROM people) x ORDER BY x.n",
    "/* a comment */ SELECT id -- another\n FROM people ORDER BY id",
    "SELECT NULLIF(id, 1), CAST(id AS DECIMAL(10, 2)) FROM people ORDER BY id",
]
WITH_LIMIT = [
    "SELECT id FROM people ORDER BY id LIMIT 2",
    "SELECT id FROM people ORDER BY id LIMIT 1 OFFSET 1",
]
OF_POSTGRES = [
    "SELECT string_agg(name, ',' ORDER BY id), array_agg(DISTINCT id), "
    "json_agg(json_build_object('i', id)) FROM people",
    "SELECT date_trunc('month', DATE '2026-03-04'), extract(year FROM DATE '2026-03-04'), "
    "to_char(DATE '2026-03-04', 'YYYY')",
    "SELECT id::text, name || '!', id % 2, id ^ 2, -id, ~id, 7 / 2, 1e3, '2026-01-02'::date - 3 "
    "FROM people ORDER BY id",
    "SELECT name FROM people WHERE name ~ '^A' OR name ILIKE '%RACE' OR name SIMILAR TO 'x%' ORDER BY id",
    "SELECT id FROM people WHERE id = ANY(ARRAY[1, 3]) ORDER BY id",
    "SELECT count(*) FILTER (WHERE id > 1), percentile_cont(0.5) WITHIN GROUP (ORDER BY id) FROM people",
    "SELECT DISTINCT ON (name) name, id FROM people ORDER BY name, id",
    "SELECT p.id, l.n FROM people p LEFT JOIN LATERAL (SELECT p.id * 2 AS n) l ON true ORDER BY p.id",
    "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 5) SELECT n FROM t",
    "SELECT g.n, n * 2 FROM generate_series(1, 3) AS g(n)",
    "SELECT e.key, e.value FROM jsonb_each('{\"a\": 1}'::jsonb) AS e",
    "SELECT u.u, u.ordinality FROM unnest(ARRAY['x', 'y']) WITH ORDINALITY AS u",
    "SELECT people.*, q.name FROM people, people AS q WHERE q.id = people.id ORDER BY people.id",
    "SELECT '{\"a\": {\"b\": 1}}'::jsonb -> 'a' ->> 'b', '{\"a\": 1}'::jsonb @> '{\"a\": 1}'",
    "SELECT substring(name FROM 1 FOR 2), position('a' IN name), trim(both 'A' FROM name), "
    "left(name, 1) FROM people ORDER BY id",
    "SELECT E'a\\nb', 'back\\slash', '$1', ':x', '%s', 'é'",
    "VALUES (1, 'a'), (2, 'b')",
    "SELECT id FROM public.people ORDER BY id NULLS LAST FETCH FIRST 2 ROWS ONLY",
    "SELECT regexp_replace(name, '[a-z]+', '*', 'g'), split_part('a-b', '-', 2), md5(name) FROM "
    "people ORDER BY id",
    "SELECT id, count(*) FROM people GROUP BY ROLLUP (id) ORDER BY id NULLS FIRST",
    "SELECT lag(id) OVER w, first_value(name) OVER w FROM people WINDOW w AS (ORDER BY id) ORDER BY id",
    "SELECT to_tsvector('english', 'two cats') @@ plainto_tsquery('english', 'cat')",
    "SELECT coalesce(sum(id), 0)::float8 FROM people WHERE now() > now() - interval '7 days'",
]
OF_MYSQL = [
    "SELECT `id`, \"text\", id DIV 2, id <=> NULL, IFNULL(NULL, 1), IF(id = 1, 'a', 'b') FROM "
    "people ORDER BY id",
    "SELECT GROUP_CONCAT(name ORDER BY id SEPARATOR '; ') FROM people",
    "SELECT DATE_FORMAT('2026-03-04', '%Y-%m'), YEAR('2026-03-04'), DATEDIFF('2026-03-04', '2026-03-01')",
    "SELECT 'it\\'s', 'back\\\\slash', 'per%cent', '%s', ':x', 'é'",
    "SELECT SUBSTRING_INDEX('a,b', ',', 1), LEFT(name, 1), CONCAT(name, '!'), LENGTH(name) FROM "
    "people ORDER BY id",
    "SELECT JSON_EXTRACT('{\"a\": 1}', '$.a'), JSON_UNQUOTE(JSON_EXTRACT('{\"a\": \"x\"}', '$.a'))",
    "SELECT id FROM people WHERE name REGEXP '^A' ORDER BY id",
    "SELECT id FROM people ORDER BY id LIMIT 1, 2",
]
OF_SQLITE = [
    "SELECT date('2026-03-04', '+1 day'), strftime('%Y', '2026-03-04'), julianday('2026-03-04')",
    "SELECT group_concat(name, '; '), total(id) FROM people",
    "SELECT name FROM people WHERE name GLOB 'A*'",
    "SELECT typeof(id), id || name, ifnull(NULL, 1), instr(name, 'a'), json_extract('{\"a\": 1}', "
    "'$.a') FROM people",
    "SELECT 'back\\slash', 'it''s', ':x', '%s'",
    "SELECT value FROM json_each('[1, 2]')",
    "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 5) SELECT n FROM c",
]
OF_DUCKDB = [
    "SELECT strftime(DATE '2026-03-04', '%Y'), date_diff('day', DATE '2026-03-01', DATE "
    "'2026-03-04'), year(DATE '2026-03-04')",
    "SELECT median(id), quantile_cont(id, 0.5), list_sort(list(id)), string_agg(name, ',' ORDER BY "
    "id) FROM people",
    "SELECT [1, 2, 3][1], {'a': id}.a, id // 2, try_cast('x' AS INTEGER) FROM people ORDER BY id",
    "SELECT * EXCLUDE (name) FROM people QUALIFY row_number() OVER (ORDER BY id) = 1",
    "SELECT range FROM range(3)",
    "SELECT regexp_matches(name, '^A'), unnest([1, 2]) FROM people ORDER BY id, 2",
    "SELECT 'back\\slash', 'it''s', ':x', '%s'",
]
OF_TSQL = [
    "SELECT TOP 10 GETDATE(), ISNULL(id, 1), LEN(name), DATEADD(day, 1, '2026-03-04') FROM dbo.people",
    "SELECT id FROM [dbo].[people] p CROSS APPLY (SELECT 1 AS one) x ORDER BY id OFFSET 1 ROWS "
    "FETCH NEXT 2 ROWS ONLY",
    "SELECT CONVERT(varchar(10), id), CHARINDEX('a', name), IIF(id = 1, 2, 3), N'é' FROM people",
    "SELECT STRING_AGG(name, ', '), YEAR('2026-03-04'), TRY_CAST('1' AS int) FROM people",
]
OF_ORACLE = [
    "SELECT NVL(name, '?'), TO_CHAR(id), SYSDATE, TRUNC(SYSDATE), DECODE(id, 1, 2, 3) FROM people "
    "WHERE ROWNUM < 5",
    "SELECT LISTAGG(name, ',') WITHIN GROUP (ORDER BY id) FROM people",
    "SELECT 1 FROM dual",
    "SELECT p.ROWID, p.id FROM people p ORDER BY id FETCH FIRST 3 ROWS ONLY",
    "SELECT TO_DATE('2026-03-04', 'YYYY-MM-DD'), ADD_MONTHS(SYSDATE, 1), INITCAP(name) FROM people",
]
QUESTIONS = {
    PG: [*PLAIN, *WITH_LIMIT, *OF_POSTGRES],
    MY: [*PLAIN, *WITH_LIMIT, *OF_MYSQL],
    LITE: [*PLAIN, *WITH_LIMIT, *OF_SQLITE],
    DUCK: [*PLAIN, *WITH_LIMIT, *OF_DUCKDB],
    MS: [*PLAIN, *OF_TSQL],
    ORA: [*PLAIN, *OF_ORACLE],
}
