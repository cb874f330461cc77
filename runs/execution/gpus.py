"""The graphics cards of this machine by NVML, where there are any."""

import ctypes
from contextlib import suppress
from typing import Any


def load() -> None:
    """Load the library, which takes longer than many a script. Opens no driver, so that one may fork afterwards."""
    with suppress(Exception):  # where there is none, there are no cards
        _library()


def _library() -> Any:
    """Return NVML for Python. Raises OSError where the machine has no driver of that maker."""
    # Looked for first: the module takes 12 MiB, and each supervisor would carry them along.
    ctypes.CDLL("libnvidia-ml.so.1")
    import pynvml

    return pynvml


class Gpus:
    """What NVML says of every card; nothing where there is no driver."""

    def __init__(self) -> None:
        self._nvml: Any = None
        self._handles: list[object] = []
        self.names: list[str] = []
        with suppress(Exception):  # no library, no driver, no card, no right: each says so its own way
            pynvml = _library()
            pynvml.nvmlInit()
            self._nvml = pynvml
            for place in range(pynvml.nvmlDeviceGetCount()):
                handle = pynvml.nvmlDeviceGetHandleByIndex(place)
                name = pynvml.nvmlDeviceGetName(handle)
                self._handles.append(handle)
                self.names.append(name.decode() if isinstance(name, bytes) else str(name))

    def sample(self) -> dict[str, float]:
        """Return how busy each card is, in percent, and how much of its memory is taken."""
        found: dict[str, float] = {}
        for place, handle in enumerate(self._handles):
            with suppress(Exception):  # a card that falls off the bus must not end the watch
                found[f"gpu{place}"] = float(self._nvml.nvmlDeviceGetUtilizationRates(handle).gpu)
                found[f"gpu{place}_memory"] = float(self._nvml.nvmlDeviceGetMemoryInfo(handle).used)
        return found

    def close(self) -> None:
        """Let the driver go."""
        if self._nvml is not None:
            with suppress(Exception):
                self._nvml.nvmlShutdown()
