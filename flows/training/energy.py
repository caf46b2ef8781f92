"""What a training takes of electricity and what that emits, according to CodeCarbon: offline, with the electricity mix of France.

Where the processor (RAPL) and the card (NVML) count their energy, it is measured, and what else runs on them counts too; elsewhere, in
most virtual machines, it is estimated from the processor time of this process and the nominal power of the processor.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress
from typing import Any

COUNTRY = "FRA"
SECONDS = 2.0  # between two measurements: how far a budget of energy may be overshot


class Meter:
    """with Meter() as meter: ...; meter.kwh() at any time, meter.co2_kg() too.

    A training does not fail because its energy cannot be measured: `works` is False then, and the figures are 0. Nothing is
    written, logged or sent: what CodeCarbon's configuration (its environment variables and files) says of that does not count.
    What it says of the machine does, such as CODECARBON_FORCE_CPU_POWER (watts) and CODECARBON_PUE.
    """

    def __init__(self, every_seconds: float = SECONDS) -> None:
        self.every_seconds = every_seconds
        self.seconds = 0.0
        """How long it ran."""
        self._tracker: Any = None
        self._kept: Any = None

    def __enter__(self) -> Meter:
        with suppress(Exception):  # whatever a processor or a driver makes it raise
            self._kept, self._tracker = _tracker(self.every_seconds)
            self._tracker.start()
        self._start = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.monotonic() - self._start
        with suppress(Exception):
            self._tracker.stop()

    @property
    def works(self) -> bool:
        return self._total is not None

    def kwh(self) -> float:
        return float(self._total.energy_consumed) if self.works else 0.0

    def co2_kg(self) -> float:
        """Of CO2 equivalents."""
        return float(self._total.emissions) if self.works else 0.0

    def kg_per_kwh(self) -> float:
        """What a kWh emitted; 0 where none was measured."""
        return self.co2_kg() / self.kwh() if self.kwh() else 0.0

    def how(self) -> str:
        """measured: by counters of the hardware; estimated: from the processor's load."""
        modes = {getattr(part, "_mode", "") for part in getattr(self._tracker, "_hardware", ())}
        return "measured" if modes & {"intel_rapl", "windows_emi", "intel_power_gadget"} else "estimated"

    @property
    def _total(self) -> Any:
        return self._kept.total if self._kept is not None else None


_making = threading.Lock()


def _tracker(every_seconds: float) -> tuple[Any, Any]:
    """(what keeps the newest figures, CodeCarbon's tracker)."""
    from codecarbon import OfflineEmissionsTracker
    from codecarbon.output_methods.base_output import BaseOutput

    logging.getLogger("codecarbon").setLevel(logging.CRITICAL)  # log_level counts only once it has told of its configuration

    class Kept(BaseOutput):  # type: ignore[misc]
        total: Any = None

        def out(self, total: Any, delta: Any) -> None:
            self.total = total

        def live_out(self, total: Any, delta: Any) -> None:
            self.total = total

    kept = Kept()
    with _making:  # the first one looks at the hardware
        tracker = OfflineEmissionsTracker(
            country_iso_code=COUNTRY,
            country_2letter_iso_code=None,
            region=None,
            cloud_provider=None,
            cloud_region=None,
            electricitymaps_api_token="",  # with one, and with any of the three below, it would call a service
            emissions_endpoint=None,
            output_methods=[],
            output_handlers=[kept],
            measure_power_secs=every_seconds,
            api_call_interval=1,  # measurements between two calls of live_out
            tracking_mode="process",
            log_level="critical",
            allow_multiple_runs=True,
        )
    return kept, tracker
