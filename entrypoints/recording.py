"""Puts together what records prompts and answers, from ports alone."""

import random
from collections.abc import Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

from application.ports.entry_seal import EntrySeal
from application.ports.recordings import Recordings
from application.ports.system import Clock
from application.ports.telemetry import Gauge
from application.recording import Recorder, RecordingInspector
from application.recording_keys import RecordingKeys
from application.use_cases.read_recordings import ReadRecordings
from entrypoints.background import BackgroundTasks, every
from entrypoints.settings import Settings

PURGE_EVERY_S: Final = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What the pipeline, the routes and the lifespan use."""

    inspector: RecordingInspector
    read: ReadRecordings
    keys: RecordingKeys
    seal: EntrySeal
    """What contents are sealed with, once `keys` are ready."""

    def use(self, settings: Settings) -> None:
        """What single keys are recorded for, from now on."""
        self.inspector.keys = settings.recording.policies()

    def gauges(self) -> Iterable[Gauge]:
        """For the metrics page."""
        recorder = self.inspector.recorder
        yield Gauge(
            "interchange_recordings_waiting",
            "Recorded prompts and answers that are not in the store yet.",
            (((), recorder.waiting),),
        )
        yield Gauge(
            "interchange_recordings_written_total",
            "Recorded prompts and answers that this process kept.",
            (((), recorder.written),),
            "counter",
        )
        yield Gauge(
            "interchange_recordings_dropped_total",
            "Prompts and answers that should have been recorded and were not.",
            (
                ((("why", "queue_full"),), recorder.dropped),
                ((("why", "share_of_day_used_up"),), recorder.beyond_share),
            ),
            "counter",
        )

    def start(self, stack: AsyncExitStack, tasks: BackgroundTasks) -> None:
        """Writes behind the requests until the tasks end; the stack writes the rest."""
        recorder = self.inspector.recorder
        stack.push_async_callback(recorder.end)
        tasks.start("recordings", recorder.run)
        tasks.start("recordings retention", lambda: every(PURGE_EVERY_S, recorder.purge))


def make_recording(
    settings: Settings,
    kept: Recordings,
    shown: Recordings,
    keys: RecordingKeys,
    seal: EntrySeal,
    clock: Clock,
    chance: random.Random,
) -> Recording:
    """`shown` are the same recordings within the reach of whoever asks."""
    recorder = Recorder(
        kept,
        keys.ready,
        clock,
        part_bytes_max=settings.recording.part_bytes_max,
        tenant_day_bytes_max=settings.recording.tenant_day_bytes_max,
    )
    made = Recording(
        inspector=RecordingInspector(recorder, clock, chance),
        read=ReadRecordings(shown, keys.ready, clock),
        keys=keys,
        seal=seal,
    )
    made.use(settings)
    return made
