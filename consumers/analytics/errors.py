"""What can go wrong between the log and its statistics.

::

    AnalyticsError
    ├── OtherHistory   what was read so far is not in this log: everything is read anew
    ├── SinkBusy       another process has the file
    └── SinkUnusable   the file can't be opened or made
"""

from __future__ import annotations


class AnalyticsError(Exception):
    """The message says what is in the way and what to do."""


class OtherHistory(AnalyticsError):
    """The log, or the topic, is not the one that was read so far."""


class SinkBusy(AnalyticsError):
    """DuckDB lets one process have a file at a time."""


class SinkUnusable(AnalyticsError):
    """The folder can't be written, or the file is none of DuckDB's."""
