"""Natively, with the packages that `wardian build` put into `target`."""

import unittest

import recurrence  # noqa: F401  declares the tools
from wardian_plugin import InvalidInput, testing


class Occurrences(unittest.TestCase):
    def test_examples_give_what_they_show(self):
        for name, tool in testing.describe().items():
            for example in tool["annotations"].get("examples", []):
                self.assertEqual(testing.call(name, example["input"]), example["output"])

    def test_the_last_day_of_each_month_is_known_and_holidays_are_left_out(self):
        given = {
            "rule": "FREQ=MONTHLY;BYMONTHDAY=-1",
            "start": "2028-01-31T18:00:00",
            "without": ["2028-03-31T18:00:00"],
            "count": 3,
        }
        dates = testing.call("occurrences", given)["dates"]
        self.assertEqual(dates, ["2028-01-31T18:00:00", "2028-02-29T18:00:00", "2028-04-30T18:00:00"])

    def test_a_rule_that_ends_says_so(self):
        given = {"rule": "FREQ=DAILY;COUNT=3", "start": "2026-01-01T00:00:00", "after": "2026-01-01T00:00:00"}
        answer = testing.call("occurrences", given)
        self.assertEqual((len(answer["dates"]), answer["more"]), (2, False))

    def test_what_is_no_rule_is_told_how_to_write_one(self):
        for rule in ("every Friday", "FREQ=SOMETIMES", "DTSTART:20260101\nRRULE:FREQ=DAILY"):
            with self.assertRaises(InvalidInput):
                testing.call("occurrences", {"rule": rule, "start": "2026-01-01T00:00:00"})

    def test_dates_with_and_without_a_zone_are_not_mixed(self):
        given = {"rule": "FREQ=DAILY", "start": "2026-01-01T00:00:00+01:00", "after": "2026-01-02T00:00:00"}
        with self.assertRaisesRegex(InvalidInput, "all without"):
            testing.call("occurrences", given)


class CalendarDifference(unittest.TestCase):
    def test_an_age_is_told_in_years_months_and_days(self):
        answer = testing.call("calendar_difference", {"start": "1815-12-10", "end": "1852-11-27"})
        self.assertEqual(answer, {"years": 36, "months": 11, "days": 17, "total_days": 13502})
