"""A small SQLite file that verified sentences and the day's spending may share between restarts and workers."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

_TABLES = """
create table if not exists verified (key text primary key, value text not null, at real not null);
create table if not exists spent (day text primary key, amount real not null);
"""


class Store:
    """One connection, used by one thread at a time."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, check_same_thread=False, timeout=2.0, isolation_level=None)
        self._db.execute("pragma journal_mode=wal")
        self._db.executescript(_TABLES)

    def get(self, key: str, since: float) -> str | None:
        """The value kept under `key` at or after the time `since`."""
        with self._lock:
            row = self._db.execute("select value from verified where key = ? and at >= ?", (key, since)).fetchone()
        return str(row[0]) if row else None

    def put(self, key: str, value: str, at: float, most: int) -> None:
        """Keep a value; the oldest beyond `most` are forgotten."""
        with self._lock:
            self._db.execute("insert or replace into verified values (?, ?, ?)", (key, value, at))
            self._db.execute("delete from verified where key in (select key from verified order by at desc limit -1 offset ?)", (most,))

    def spent(self, day: str) -> float:
        """What was spent on a day."""
        with self._lock:
            row = self._db.execute("select amount from spent where day = ?", (day,)).fetchone()
        return float(row[0]) if row else 0.0

    def spend(self, day: str, amount: float) -> None:
        """Add to a day's spending; other days are forgotten."""
        with self._lock:
            self._db.execute("insert into spent values (?, ?) on conflict (day) do update set amount = amount + excluded.amount", (day, amount))
            self._db.execute("delete from spent where day <> ?", (day,))
