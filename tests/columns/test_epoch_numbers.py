"""Numbers that are times."""

from interestrec.columns.epoch_numbers import NumberedTime
from interestrec.rawfiles.raw_log import RawLog


def test_a_unit_refuses_years_that_are_another_unit() -> None:
    log = RawLog()
    for number, unit, year in [("1.5e9", "s", 2017), ("1.5e12", "ms", 2017), ("1.5e15", "us", 2017), ("0", "s", 1970)]:
        stamp = NumberedTime(unit, is_given=True).expression(f"'{number}'", "VARCHAR")
        assert log.number(f"SELECT year({stamp})") == year
    for number, unit in [("1.5e12", "s"), ("1.5e15", "s"), ("1e300", "us")]:
        stamp = NumberedTime(unit, is_given=True).expression(f"'{number}'", "VARCHAR")
        assert log.sql(f"SELECT {stamp}") == [(None,)]
