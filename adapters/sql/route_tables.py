"""The tables of routes made through the API."""

from typing import Final

from sqlalchemy import BigInteger, Column, Integer, Table, Text

from adapters.sql.schema import metadata

api_routes: Final = Table(
    "api_routes",
    metadata,
    Column("name", Text, primary_key=True),
    Column("body", Text, nullable=False),
    Column("updated_at_us", BigInteger, nullable=False),
    Column("updated_by", Text, nullable=False),
)

route_generation: Final = Table(
    "route_generation",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("generation", BigInteger, nullable=False),
)
"""One row, counted up by every change of any route."""
