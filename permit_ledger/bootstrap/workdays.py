"""Mainland China's working days, make-up workdays (调休) included, from ``chinesecalendar``."""

from __future__ import annotations

from datetime import date

import chinese_calendar


class MainlandWorkdays:
    """The State Council's yearly schedule, for the years that are published."""

    def is_workday(self, day: date) -> bool | None:
        """``None`` for a year that is not published."""
        try:
            return bool(chinese_calendar.is_workday(day))
        except NotImplementedError:
            return None
