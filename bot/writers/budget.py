"""A spend limit a day. When it is reached, the extractive writer serves until midnight UTC."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime

from bot.writers.store import Store

CHARS_PER_TOKEN = 3  # on the dear side, for reckoning before the provider says


def _today() -> str:
    return datetime.now(UTC).date().isoformat()


class Budget:
    """Reserves the most a call can cost before it is made, and settles what it did cost after.

    Args:
        limit: per day, in the currency of the prices; 0 is no limit.
        price_in, price_out: per million tokens.
        store: keeps the count over restarts; default: in memory.
    """

    def __init__(self, limit: float, price_in: float, price_out: float, store: Store | None = None, today: Callable[[], str] = _today) -> None:
        self.limit, self._in, self._out = limit, price_in, price_out
        self._store, self._today = store, today
        self._lock = threading.Lock()
        self._day, self._spent, self._reserved = "", 0.0, 0.0

    def cost(self, tokens_in: float, tokens_out: float) -> float:
        """What a call costs."""
        return (tokens_in * self._in + tokens_out * self._out) / 1_000_000

    @property
    def spent(self) -> float:
        """Today's spending so far, without what is reserved."""
        with self._lock:
            return self._of_today()

    def _of_today(self) -> float:
        day = self._today()
        if day != self._day:
            self._day, self._spent = day, 0.0
        return max(self._spent, self._store.spent(day)) if self._store else self._spent

    def reserve(self, chars_in: int, tokens_out: int) -> float | None:
        """Set aside the most that a call may cost; None when the day's limit does not allow it."""
        most = self.cost(chars_in / CHARS_PER_TOKEN, tokens_out)
        with self._lock:
            if self.limit and self._of_today() + self._reserved + most > self.limit:
                return None
            self._reserved += most
        return most

    def settle(self, reserved: float, cost: float) -> None:
        """Replace what was set aside by what it came to."""
        with self._lock:
            self._of_today()
            self._reserved = max(0.0, self._reserved - reserved)
            self._spent += cost
            if self._store:
                self._store.spend(self._day, cost)
