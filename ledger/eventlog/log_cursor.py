"""How far the log was looked at: what to ask for next, and whether what came is all there was."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from eventsourcing.persistence import Notification

from ledger.errors import LogBehind, LogGap

PAGE_EVENTS_MAX = 500
PAGE_BYTES_MAX = 4 * 1024 * 1024
WINDOW_POSITIONS = 10_000
"""How much of the log one query looks through for some topics."""
POLL_S = 0.5


class LogCursor:
    """Moves along the log window by window; no I/O.

    ``position`` is how far was looked, whether something was found or not. Raises ``ValueError``
    for pages of no events.
    """

    def __init__(
        self,
        after: int,
        topics: Sequence[str] = (),
        *,
        page_events_max: int = PAGE_EVENTS_MAX,
    ) -> None:
        if page_events_max < 1:
            raise ValueError("a page has at least one event")
        self.position = after
        self._topics = list(topics)
        self._page_events_max = page_events_max
        self._at_head = False

    @property
    def window(self) -> dict[str, object]:
        """The next query's parameters."""
        return {
            "after": self.position,
            "until": self._until,
            "topics": self._topics or None,
            "events_max": self._page_events_max,
            "bytes_max": PAGE_BYTES_MAX,
        }

    @property
    def pause_s(self) -> float:
        """Seconds to wait for a notification before the next query; 0 if more is there already."""
        return POLL_S if self._at_head else 0.0

    def take(self, head: int, page: Sequence[Notification]) -> None:
        """Move over what ``window`` gave; ``head`` and ``page`` are of one snapshot.

        Raises:
            LogBehind: the log ends before what was read already.
            LogGap: a position is missing. Of some topics this can't be told.
        """
        if head < self.position:
            raise LogBehind(
                f"The log ends at position {head} and was read up to {self.position} before."
            )
        cut = self._is_full(page)
        reached = page[-1].id if cut else min(self._until, head)
        if not self._topics:
            self._check_complete(page, reached)
        self.position = reached
        self._at_head = reached == head

    @property
    def _until(self) -> int:
        return self.position + (WINDOW_POSITIONS if self._topics else self._page_events_max)

    def _is_full(self, page: Sequence[Notification]) -> bool:
        """Whether there may be more in the window than the page has room for."""
        return (
            len(page) >= self._page_events_max
            or sum(len(event.state) for event in page) >= PAGE_BYTES_MAX
        )

    def _check_complete(self, page: Sequence[Notification], reached: int) -> None:
        found = [event.id for event in page]
        expected = range(self.position + 1, reached + 1)
        if found != list(expected):
            missing = next(n for n, id_ in zip_longest(expected, found) if n != id_)
            raise LogGap(f"The log has no event at position {missing}; its head is beyond.")
