"""`connectors`: what of this machine integrations may touch."""

from pydantic import Field

from entrypoints.config.sections import AbsolutePath, Section

FOLDERS_MAX = 100


class ConnectorSettings(Section):
    """What integrations may use of the machine this runs on; nothing unless it is listed."""

    folders: tuple[AbsolutePath, ...] = Field(
        default=(),
        max_length=FOLDERS_MAX,
        description="Folders whose files integrations may open (`file://`, `sqlite://`, `duckdb://`), with "
        "everything below them. Only the operator's own integrations and those of this file may.",
    )
