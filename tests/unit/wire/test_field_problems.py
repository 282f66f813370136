"""Configurations that are wrong, in words for whoever wrote them."""

import pytest

from adapters.databases.configuration import read_configuration as database
from adapters.rest.configuration import read_configuration as rest
from domain.errors import InvalidConfiguration

ENDPOINT = {"endpoint": "postgresql://db.example/shop"}
PASSWORD = {"type": "password", "username": "reader", "password": "s3cret"}


def test_a_mistyped_field_is_told_with_the_one_that_was_meant() -> None:
    with pytest.raises(InvalidConfiguration) as caught:
        database({**ENDPOINT, "authentication": PASSWORD, "querys": {}})

    assert caught.value.message == "querys is unknown; did you mean queries?"
    assert caught.value.param == "querys"


def test_what_is_missing_and_what_is_unknown_are_told_together() -> None:
    with pytest.raises(InvalidConfiguration) as caught:
        database({**ENDPOINT, "authentication": {"type": "password", "user": "x", "password": "s3cret"}})

    assert caught.value.message == "authentication.username is required; authentication.user is unknown"


@pytest.mark.parametrize("read", [database, rest])
def test_an_unknown_kind_of_authentication_is_told_with_those_there_are_and_never_with_itself(
    read: object,
) -> None:
    assert callable(read)

    with pytest.raises(InvalidConfiguration) as caught:
        read({"endpoint": "https://db.example/shop", "authentication": {"type": "s3cret"}})

    assert caught.value.param == "authentication.type"
    assert "'none'" in caught.value.message
    assert "s3cret" not in caught.value.message


def test_many_problems_are_counted_rather_than_listed() -> None:
    with pytest.raises(InvalidConfiguration) as caught:
        database({**ENDPOINT, "authentication": PASSWORD, **{f"x{number}": 1 for number in range(9)}})

    assert caught.value.message.endswith("and 6 more")
    assert len(caught.value.message) <= 500
