"""A description of the machine, to be kept with a measurement."""

import os
import platform
import time
from importlib import metadata
from pathlib import Path

__all__ = ["describe_machine"]

INFORMATION = Path("/proc/cpuinfo")
PACKAGES = ("recu_tf", "larq-compute-engine", "tensorflow", "numpy")


def describe_machine() -> dict[str, object]:
    """Describes the processor, its cores and load, the versions of the packages, and the date.

    Returns:
        Values by name. `load` is the average number of running processes over the last minute:
        above 0, other programs slow the measurement.
    """
    lines = INFORMATION.read_text().splitlines() if INFORMATION.exists() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return {
        "cpu": models[0] if models else platform.processor() or platform.machine(),
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "system": platform.platform(),
        "versions": {
            "python": platform.python_version(),
            **{name: metadata.version(name) for name in PACKAGES},
        },
        "date": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }
