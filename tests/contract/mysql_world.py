"""MariaDB (or a MySQL named by MYSQL_DSN) with a database of its own per test, for the suites of engines."""

from collections.abc import Sequence
from typing import Final

from adapters.databases.destination import Destination, TlsMode
from adapters.databases.mysql import MySqlEngine
from adapters.databases.sessions import PoolSettings
from contracts.ports.database_engine import EngineSubject, Leak
from domain.vault.secret import SecretBytes
from tests.contract.mariadb_server import MariaDbServer

PASSWORD: Final = "päss'\\word"
WRONG: Final = "not-the-password-4711"
SLOW: Final = "SELECT SLEEP(40)"
_DIGITS: Final = "(" + " UNION ALL ".join(f"SELECT {digit} AS d" for digit in range(10)) + ")"
LEAKS: Final = (
    Leak("SELECT @ours := 1", "SELECT @ours"),
    Leak("SELECT GET_LOCK('ours', 0)", "SELECT IS_USED_LOCK('ours')"),
    Leak("SELECT SQL_CALC_FOUND_ROWS 1 UNION SELECT 2", "SELECT LAST_INSERT_ID()"),
    Leak("SELECT LAST_INSERT_ID(4711)", "SELECT LAST_INSERT_ID()"),
)
SPOILS: Final = (
    Leak("SET @ours = 1", "SELECT @ours"),
    Leak("DO GET_LOCK('ours', 0)", "SELECT IS_USED_LOCK('ours')"),
    Leak("CREATE TEMPORARY TABLE loot (id INT)", "SELECT COUNT(*) FROM loot"),
    Leak("CREATE TEMPORARY TABLE people (id INT)", "SELECT COUNT(*) FROM people"),
    Leak("SET SESSION sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'", "SELECT @@sql_mode, LENGTH('\\\\')"),
    Leak("SET autocommit = 0", "SELECT @@autocommit"),
    Leak("SET SESSION TRANSACTION ISOLATION LEVEL READ UNCOMMITTED", "SELECT @@tx_isolation"),
    Leak("SET SESSION TRANSACTION READ WRITE", "SELECT @@tx_read_only"),
    Leak("SET SESSION max_statement_time = 0", "SELECT @@max_statement_time"),
    Leak("SET SESSION sql_select_limit = 1", "SELECT 1 UNION SELECT 2"),
    Leak("SET SESSION group_concat_max_len = 4", "SELECT @@group_concat_max_len"),
    Leak("SET NAMES latin1", "SELECT @@character_set_client, @@character_set_results, 'ä'"),
    Leak("SET time_zone = '-03:00'", "SELECT @@time_zone"),
    Leak("USE information_schema", "SELECT DATABASE()"),
    Leak("PREPARE ours FROM 'SELECT 1'", "SELECT @@prepared_stmt_count"),
    Leak("LOCK TABLES people WRITE", "SELECT COUNT(*) FROM people"),
    Leak("SET ROLE NONE", "SELECT CURRENT_ROLE()"),
    Leak("SET STATEMENT max_statement_time=0 FOR SET @ours = 2", "SELECT @ours"),
)
"""What a statement that may write can leave behind."""
FORBIDDEN: Final = (
    "BEGIN NOT ATOMIC COMMIT; START TRANSACTION READ WRITE; DELETE FROM people; COMMIT; END",
    "CALL loot()",
    "SELECT loot()",
    "SET SESSION TRANSACTION READ WRITE",
    "SET @@tx_read_only = 0",
    "START TRANSACTION READ WRITE",
    "EXECUTE IMMEDIATE 'DELETE FROM people'",
    "/*!50000 DELETE FROM people */",
    "/*M!100000 DELETE FROM people */",
    "SELECT 1 /*!50000 INTO OUTFILE '/tmp/loot' */",
    "SELECT 1 INTO/**/OUTFILE '/tmp/loot'",
    "SELECT id FROM people LIMIT 1 INTO @ours",
    "HANDLER people OPEN",
    "XA START 'ours'",
    "WITH gone AS (SELECT 1) DELETE FROM people",
    "SELECT * FROM people FOR UPDATE",
    "SET STATEMENT tx_read_only=0 FOR DELETE FROM people",
    "SELECT NEXTVAL(numbers)",
    "LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE people",
)


class AnyAddress:
    """Lets a driver go where these tests have their server."""

    def __init__(self, *addresses: str) -> None:
        self._addresses, self.asked = addresses or ("127.0.0.1",), 0

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked += 1
        return self._addresses


class MySqlWorld:
    """A database, somebody who may change `people` and little more, and engines on it."""

    def __init__(self, server: MariaDbServer) -> None:
        self.server = server
        self.database = self.user = server.new_name()
        self.engines: list[MySqlEngine] = []
        name = self.database
        escaped = PASSWORD.replace("\\", "\\\\").replace("'", "''")
        server.run(
            f"CREATE DATABASE {name} CHARACTER SET utf8mb4",
            f"CREATE USER {name} IDENTIFIED BY '{escaped}'",
            f"GRANT SELECT, INSERT, UPDATE, DELETE, EXECUTE, LOCK TABLES, CREATE TEMPORARY TABLES "
            f"ON {name}.* TO {name}",
            f"CREATE ROLE role_{name}",
            f"GRANT role_{name} TO {name}",
            f"SET DEFAULT ROLE role_{name} FOR {name}",
        )
        server.run(
            "CREATE TABLE people (id INT PRIMARY KEY, name VARCHAR(200)) ENGINE=InnoDB",
            "INSERT INTO people VALUES (1, 'Ada'), (2, 'Grace'), (3, 'Zoë 🧾')",
            "CREATE SEQUENCE numbers",
            "CREATE PROCEDURE loot() MODIFIES SQL DATA BEGIN COMMIT; START TRANSACTION READ WRITE; "
            "DELETE FROM people; COMMIT; END",
            "CREATE FUNCTION loot() RETURNS INT MODIFIES SQL DATA BEGIN DELETE FROM people; RETURN 1; END",
            "CREATE PROCEDURE several() BEGIN SELECT 1; SELECT 2; END",
            "CREATE PROCEDURE one_result() BEGIN SELECT id, name FROM people ORDER BY id; END",
            database=name,
        )

    def engine(
        self,
        *,
        user: str | None = None,
        password: str = PASSWORD,
        port: int | None = None,
        tls: TlsMode = TlsMode.OFF,
        ca_pem: str = "",
        host: str = "localhost",
        guard: AnyAddress | None = None,
        places: int = 2,
        idle_s: float = 300.0,
        waiting_max: int = 256,
    ) -> MySqlEngine:
        made = MySqlEngine(
            Destination(
                host=host,
                port=port or self.server.port,
                database=self.database,
                username=user or self.user,
                password=SecretBytes(password.encode()),
                tls=tls,
                ca_pem=ca_pem,
                guard=guard or AnyAddress(),
            ),
            PoolSettings(places=places, idle_s=idle_s, waiting_max=waiting_max),
        )
        self.engines.append(made)
        return made

    async def running(self) -> int:
        rows = self.server.run(
            "SELECT COUNT(*) FROM information_schema.processlist "
            f"WHERE info = '{SLOW}' AND user = '{self.user}'"
        )
        return int(rows[0][0])

    async def lose(self) -> None:
        self.server.restart()

    def subject(self) -> EngineSubject:
        return EngineSubject(
            engine=self.engine(),
            numbers=numbers,
            wide=lambda rows, characters: f"SELECT REPEAT('x', {characters}) FROM ({numbers(rows)}) r",
            slow=SLOW,
            running=self.running,
            leaks=LEAKS,
            forbidden_reads=FORBIDDEN,
            powerful=self.engine(user="root", password=""),
            unreachable=self.engine(port=1),
            wrong_password=self.engine(password=WRONG),
            secret=WRONG,
            lose=self.lose,
        )

    async def aclose(self) -> None:
        for engine in self.engines:
            await engine.aclose()
        name = self.database
        self.server.run(f"DROP DATABASE {name}", f"DROP USER {name}", f"DROP ROLE role_{name}")


def numbers(count: int) -> str:
    """From nothing, on every version."""
    places = len(str(count))
    value = " + ".join(f"{10**place} * t{place}.d" for place in range(places))
    tables = ", ".join(f"{_DIGITS} t{place}" for place in range(places))
    return f"SELECT {value} AS n FROM {tables} LIMIT {count}"
