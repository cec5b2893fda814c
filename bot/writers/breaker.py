"""A circuit breaker: a model that keeps failing is left alone for a while, so that visitors do not wait for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

FAILURES = 4
PAUSE = 30.0
LONGEST_PAUSE = 600.0


class Breaker:
    """Opens after several failures in a row; after a pause one caller may try again.

    Args:
        clock: seconds that never go back.
    """

    def __init__(self, failures: int = FAILURES, pause: float = PAUSE, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._base, self._clock = failures, pause, clock
        self._lock = threading.Lock()
        self._failed = 0
        self._pause = pause
        self._until = 0.0
        self._trying = 0.0

    @property
    def open(self) -> bool:
        """Whether calls are held back now."""
        return self._clock() < self._until

    def allow(self) -> bool:
        """Whether this caller may ask the model. After a pause only one may, until it has been heard of."""
        with self._lock:
            now = self._clock()
            if now < self._until:
                return False
            if self._failed >= self._most:
                if now < self._trying:
                    return False
                self._trying = now + self._base
            return True

    def good(self) -> None:
        """A call went well."""
        with self._lock:
            self._failed, self._pause, self._until, self._trying = 0, self._base, 0.0, 0.0

    def bad(self, retry_after: float | None = None) -> None:
        """A call failed; the provider may have said for how long it wants to be left alone."""
        with self._lock:
            self._failed += 1
            now = self._clock()
            if retry_after:
                self._until = max(self._until, now + min(retry_after, LONGEST_PAUSE))
            elif self._failed >= self._most and now >= self._until:
                self._until = now + self._pause
                self._pause = min(self._pause * 2, LONGEST_PAUSE)
            self._trying = 0.0
