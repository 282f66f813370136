"""Every way out of the process is known, and those that others can steer go through the egress gate."""

import ast
from functools import cache
from pathlib import Path

from tests.architecture.repository import modules, name_of, naming, text, tree

CLIENT_MODULES = (
    "aiohttp",
    "aiobotocore",
    "aiomysql",
    "asyncpg",
    "azure",
    "boto3",
    "botocore",
    "ftplib",
    "google.cloud",
    "http.client",
    "httpx",
    "mssql_python",
    "oracledb",
    "paramiko",
    "redis",
    "requests",
    "smtplib",
    "socket",
    "urllib.request",
    "urllib3",
    "websockets",
    "xmlrpc",
)
CONNECTING = {
    "create_connection",
    "create_datagram_endpoint",
    "create_unix_connection",
    "open_connection",
    "open_unix_connection",
    "sock_connect",
    "start_tls",
    "urlopen",
    "urlretrieve",
}
GUARDED = {
    "adapters/databases/mysql.py": "asks the tenant's guard, connects to the addresses it gave",
    "adapters/databases/mysql_connection.py": "connects to the address it is given, of the former",
    "adapters/databases/oracle.py": "asks the tenant's guard; the driver follows a listener's redirect",
    "adapters/databases/mssql.py": "asks the tenant's guard; a server's routing is followed by the driver",
    "adapters/databases/postgres_connecting.py": "asks the tenant's guard, connects to the addresses it gave",
    "adapters/databases/postgres_session.py": "works on the connections of the former",
    "adapters/http/address_guard.py": "is the judge: resolves a name, asks the rule about each address",
    "adapters/http/aiohttp_transport.py": "asks the rule in its resolver, and before about literals",
    "adapters/storage/azure.py": "on the session of the next one; signs addresses",
    "adapters/storage/azure_session.py": "asks in its resolver, and before each request; follows nothing",
    "adapters/storage/azure_upload.py": "on the session of the former",
    "adapters/storage/azure_words.py": "connects to nobody: names what the client raises",
    "adapters/storage/guarded_way.py": "is how the clients of clouds ask the tenant's guard",
    "adapters/storage/s3_session.py": "asks in its resolver, and before each request; follows nothing",
    "adapters/storage/s3_words.py": "connects to nobody: names what the client raises",
    "adapters/http/dialer.py": "asks the rule about each address before it connects to it",
}
NOBODY_ELSE_STEERS = {
    "adapters/aws/kms.py": "the operator's own key service, named in the configuration",
    "adapters/redis/connection.py": "the operator's own Redis, named in `storage`",
    "adapters/redis/driver.py": "what makes that connection",
    "adapters/sql/postgres.py": "the operator's own PostgreSQL, named in `storage`",
    "adapters/sql/postgres_upgrade.py": "the same",
    "adapters/sql/usage_process.py": "a socket pair to its own child",
    "entrypoints/cli/api_client.py": "a command asks the server its user names",
    "entrypoints/cli/batch_client.py": "the same",
    "entrypoints/cli/demo.py": "a command asks the simulator its user names",
    "entrypoints/cli/events.py": "a command asks the server its user names",
    "entrypoints/cli/issuer_client.py": "a command asks the issuer of the server its user names",
    "entrypoints/cli/privacy_users.py": "a command asks the server its user names",
    "entrypoints/cli/tls_connection.py": "a command asks the server its user names",
    "entrypoints/cli/usage_source.py": "a command asks the server its user names",
    "entrypoints/jobs/children.py": "the supervisor asks its own children on this machine",
    "entrypoints/jobs/gateway_process.py": "the supervisor asks its own gateway on this machine",
    "entrypoints/jobs/ports.py": "looks whether a port of this machine is free",
    "entrypoints/simulator/connection.py": "a server's side; connects to nobody",
    "entrypoints/usage_writer_opening.py": "the child's end of that pair",
}
FETCHED_BY_OTHERS = {
    "adapters/embeddings/weights.py": "pip fetches a pinned package, from the index set up here",
    "entrypoints/jobs/npm_packages.py": "npm and pip fetch what a lock file pins, with their own settings",
}
REACHING_WORDS = (*CONNECTING, *CLIENT_MODULES)
"""Without one of these in its text, no file imports a client or opens a connection."""
TRANSPORTS = {"StreamlinedTransport", "AiohttpTransport"}
FETCHERS = {"pip", "npm", "uv", "curl", "wget", "git"}
RUNNING = ("create_subprocess_exec", "Popen", "run")
OPENED_IN = "entrypoints/outgoing.py"
FOLLOWING = ("allow_redirects", "follow_redirects")
ROOMS = ("domain", "application", "adapters", "entrypoints")


@cache
def reaches_out(path: Path) -> bool:
    """Whether a file imports a client or opens a connection itself."""
    if not any(word in text(path) for word in REACHING_WORDS):
        return False
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import) and any(_is_client(alias.name) for alias in node.names):
            return True
        if isinstance(node, ast.ImportFrom) and _is_client(node.module or ""):
            return True
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in CONNECTING
        ):
            return True
    return False


def _is_client(module: str) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in CLIENT_MODULES)


def test_every_file_that_connects_is_guarded_or_steered_by_nobody_else() -> None:
    known = GUARDED.keys() | NOBODY_ELSE_STEERS.keys()

    unknown = [name for path in modules(*ROOMS) if reaches_out(path) and (name := name_of(path)) not in known]

    assert not unknown, "use application.outside, or say here why nobody but the operator steers it"


def test_the_list_names_only_files_that_connect() -> None:
    connecting = {name_of(path) for path in modules(*ROOMS) if reaches_out(path)}

    assert connecting >= GUARDED.keys() | NOBODY_ELSE_STEERS.keys()


def test_whoever_runs_another_program_that_fetches_says_what() -> None:
    fetching = {
        name_of(path)
        for path in naming([quote + name + quote for name in FETCHERS for quote in "'\""], *ROOMS)
        if FETCHERS
        & {node.value for node in ast.walk(tree(path)) if isinstance(node, ast.Constant) if node.value}
        and any(isinstance(node, ast.Attribute) and node.attr in RUNNING for node in ast.walk(tree(path)))
    }

    assert fetching <= FETCHED_BY_OTHERS.keys()


def test_transports_are_opened_in_one_place_and_always_with_a_rule() -> None:
    opened = [
        (name_of(path), {keyword.arg for keyword in node.keywords})
        for path in naming(TRANSPORTS, *ROOMS)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name | ast.Attribute)
        and (node.func.id if isinstance(node.func, ast.Name) else node.func.attr) in TRANSPORTS
    ]

    assert opened
    assert all(name == OPENED_IN and "allow" in keywords for name, keywords in opened), opened


def test_redirects_are_followed_nowhere() -> None:
    following = [
        f"{name_of(path)}:{node.lineno}"
        for path in naming(FOLLOWING, *ROOMS)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.keyword)
        and node.arg in FOLLOWING
        and not (isinstance(node.value, ast.Constant) and node.value.value is False)
    ]

    assert not following
