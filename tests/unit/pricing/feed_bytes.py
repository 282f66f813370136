"""How the tests of feeds write a feed."""

import json

USD = 1_000_000_000


def encoded(value: object) -> bytes:
    return json.dumps(value).encode()
