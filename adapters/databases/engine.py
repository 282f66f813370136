"""What every engine of this room is, by the name of its room; the promises are the port's."""

from application.ports.database_engine import (
    Changed,
    ColumnInfo,
    Engine,
    Limits,
    RowCursor,
    Rows,
    Statement,
    TableInfo,
)

__all__ = ["Changed", "ColumnInfo", "Engine", "Limits", "RowCursor", "Rows", "Statement", "TableInfo"]
