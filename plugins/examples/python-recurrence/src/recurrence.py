"""Recurring dates with python-dateutil, which knows the rules of calendars (RFC 5545)."""

from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice
from typing import Annotated

from dateutil.relativedelta import relativedelta
from dateutil.rrule import rrule, rruleset, rrulestr
from wardian_plugin import Field, InvalidInput, tool

# More than a model wants to read; the rule itself may go on for ever.
DATES_MAX = 100


@dataclass
class Dates:
    dates: Annotated[list[datetime], "The dates, in order."]
    more: Annotated[bool, "Whether the rule goes on after them."]


@tool(
    title="Recurring dates",
    pure=True,
    examples=[
        {
            "input": {"rule": "FREQ=MONTHLY;BYDAY=3FR", "start": "2026-01-01T09:00:00", "count": 2},
            "output": {"dates": ["2026-01-16T09:00:00", "2026-02-20T09:00:00"], "more": True},
        }
    ],
)
def occurrences(
    rule: Annotated[str, Field("The rule as calendars write it: FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE.", min_length=5, max_length=500)],
    start: Annotated[datetime, "Where the rule begins, with its time of day: 2026-01-05T09:00:00."],
    after: Annotated[datetime | None, "Only dates after this one."] = None,
    count: Annotated[int, Field("How many dates.", minimum=1, maximum=DATES_MAX)] = 10,
    without: Annotated[list[datetime] | None, "Dates to leave out, such as holidays."] = None,
) -> Dates:
    """Lists the dates of a recurring event: every second Monday, the last day of each month, each third Friday.

    Use it instead of counting days yourself. Dates with a zone (2026-01-05T09:00:00+01:00) and without cannot be mixed.
    """
    try:
        dates = rruleset()
        dates.rrule(_rule(rule, start))
        for left_out in without or []:
            dates.exdate(left_out)
        found = list(islice(dates.xafter(after) if after else dates, count + 1))
    except TypeError as error:
        raise InvalidInput("give either all dates with a zone or all without") from error
    return Dates(found[:count], len(found) > count)


@dataclass
class Difference:
    years: int
    months: Annotated[int, "Beside the years."]
    days: Annotated[int, "Beside the months."]
    total_days: Annotated[int, "All days together; negative where `end` comes first."]


@tool(title="Time between dates", pure=True)
def calendar_difference(
    start: Annotated[date, "The first day."],
    end: Annotated[date, "The last day."],
) -> Difference:
    """Tells the time between two days as people say it, such as an age: years, months and days, and the days in total."""
    difference = relativedelta(end, start)
    return Difference(difference.years, difference.months, difference.days, (end - start).days)


def _rule(text: str, start: datetime) -> rrule:
    """A rule, and nothing else that the format knows: one line, without a beginning of its own."""
    if "\n" in text or "DTSTART" in text.upper():
        raise InvalidInput("rule is one line and has no DTSTART; the beginning goes to start")
    try:
        return rrulestr(text, dtstart=start)
    except ValueError as error:
        raise InvalidInput(f"{text!r} is no rule: {error}; write it like FREQ=MONTHLY;BYDAY=3FR") from error
