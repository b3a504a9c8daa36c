"""Errors of the statistics.

::

    AnalyticsError
    ├── OtherHistory   the log differs from what was read before: everything is read again
    ├── SinkBusy       another process has the file
    └── SinkUnusable   the file can't be opened or created
"""

from __future__ import annotations


class AnalyticsError(Exception):
    """The message states the cause and what to do."""


class OtherHistory(AnalyticsError):
    """The log, or the topic, is not the one that was read before."""


class SinkBusy(AnalyticsError):
    """Another process has the file open to write; one at a time may."""


class SinkUnusable(AnalyticsError):
    """The folder is not writable, or the file is not of this version."""
