"""Words that mean something to somebody else, in every place a caller can put a word.

SQL, commands, templates, control and foreign characters: each is data here. It is refused by name, or
finds nothing, or is kept as it is; it never changes what is asked, and never breaks the server.
"""

import re
from collections import Counter
from collections.abc import Sequence

import httpx
import pytest

from tests.e2e.stack import Stack
from tests.security.attack_world import (
    BODIES,
    NOBODY,
    OPENAPI,
    OPERATIONS,
    Operation,
    Place,
    attack,
    in_order,
    places,
    still_well,
)
from tests.thorough import some_of

SQL = (
    "' OR '1'='1",
    "x'; DROP TABLE api_keys; --",
    "x') UNION SELECT id FROM api_keys --",
    "\\'; SELECT pg_sleep(60); --",
    "%\"; ATTACH DATABASE 'x' AS y; --",
)
FOREIGN = (
    "a\x00b",
    "a\r\nset-cookie: a=b\r\n\r\nHTTP/1.1 200 OK",
    "\u202egpj.exe\u2066",
    "\ud800",
    "\u0430dmin\u200b",
    "\x1b[2J\x07\x7f",
    "${jndi:ldap://127.0.0.1:9/a}{{7*7}}<%= 7*7 %>`id`$(id)",
    "%s%n%x%00%0d%0a",
    "\U0010ffff\ufeff\u2028",
    "A" * 70_000,
)
FOREIGN_EACH = 2
SIZES = ("1e999", "NaN", "-9223372036854775809", "9" * 400, "0x10", "-0", "\u0661\u0662", " 1", "1_0")
WITH_HEADERS = ("/v1/chat/completions", "/v1/messages", "/api/v1/llm/complete")
"""Wishes in headers are read by one reader, whatever the route; one route of each kind stands for it."""
ASKING_FIRST = sorted(OPERATIONS, key=lambda operation: operation.method != "GET")
"""What a question finds says something only before acts have made names of the same words."""


def sendable(place: Place, word: str) -> bool:
    """Whether a client can send it there at all: no header holds a line's end, no address half a pair."""
    if place.kind == "header":
        return len(word) < 1000 and not re.search("[\r\n\0]|^ ", word)
    if place.kind in ("path", "query"):
        return len(word) < 1000 and "\ud800" not in word
    return place.operation.media != "multipart/form-data" or "\r" not in word


def words_for(place: Place, words: Sequence[str], count: int, turn: str = "") -> Sequence[str]:
    return some_of([word for word in words if sendable(place, word)], f"{turn}{place}", count)


def test_every_kind_of_body_has_its_least_content() -> None:
    kinds = {
        content["schema"]["$ref"].rpartition("/")[2]
        for rows in OPENAPI["paths"].values()
        for row in rows.values()
        for content in row.get("requestBody", {}).get("content", {}).values()
    }
    assert kinds <= BODIES.keys()


@pytest.mark.parametrize(("words", "count"), [(SQL, 1), (FOREIGN, FOREIGN_EACH), (SIZES, 1)])
def test_places_take_turns_until_every_word_was_everywhere(words: tuple[str, ...], count: int) -> None:
    places_all = [place for operation in OPERATIONS for place in places_of(operation)]
    sent = Counter((word, place.kind) for place in places_all for word in words_for(place, words, count))
    possible = {(word, place.kind) for place in places_all for word in words if sendable(place, word)}

    assert sent.keys() == possible
    assert all(sent[word, "body"] >= 10 for word in words)


def places_of(operation: Operation) -> list[Place]:
    headers = operation.path in WITH_HEADERS
    return [place for place in places(operation) if headers or place.kind != "header"]


@pytest.mark.parametrize("operation", ASKING_FIRST, ids=str)
def test_sql_is_a_word_like_any_other(stored: Stack, keeper: httpx.Client, operation: Operation) -> None:
    for place in places_of(operation):
        for word in words_for(place, SQL, 1, turn=stored.database_url[:6]):
            answer = in_order(attack(keeper, place, word))
            if found := found_by(answer, word):
                # As much as a name finds that means nothing to anybody; most places find nothing at all.
                plain = found_by(in_order(attack(keeper, place, NOBODY)))
                assert found <= plain, (str(place), word, answer.text[:300])


def found_by(answer: httpx.Response, word: str = "") -> int:
    """How many things a question found, but for those that have just this word: an earlier attack may have
    become somebody's name. Acts and models may say as much as they like."""
    if answer.request.method != "GET" or answer.status_code != 200:
        return 0
    if answer.headers["content-type"] != "application/json":
        return 0  # lines of an export: about exactly this name, also where an earlier word became one
    found = [one for each in answer.json().values() if isinstance(each, list) for one in each]
    return sum(not (word and isinstance(one, dict) and word in one.values()) for one in found)


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_foreign_characters_are_named_or_kept(
    target: Stack, owner: httpx.Client, operation: Operation
) -> None:
    for place in places_of(operation):
        for word in (*words_for(place, FOREIGN, FOREIGN_EACH), *words_for(place, SIZES, 1)):
            in_order(attack(owner, place, word))


def test_after_all_of_it_everything_is_there_and_answers(stored: Stack, keeper: httpx.Client) -> None:
    assert keeper.get("/api/v1/keys").json()["keys"]
    still_well(stored, keeper)
