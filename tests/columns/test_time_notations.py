"""Times are read by one decision over a column: worked examples, and random times in many notations."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from email.utils import format_datetime

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interestrec.columns.time_notations import decide_time
from interestrec.core.errors import DataError
from tests.columns.columns import column, values
from tests.examples import examples

DAY = datetime(2020, 7, 5)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (["07/12/10 09:26", "13/12/10 10:26"], [datetime(2010, 12, 7, 9, 26), datetime(2010, 12, 13, 10, 26)]),
        (["7/12/10 9:26", "12/13/10 10:26"], [datetime(2010, 7, 12, 9, 26), datetime(2010, 12, 13, 10, 26)]),
        (["31.12.69", "01.01.68"], [datetime(1969, 12, 31), datetime(2068, 1, 1)]),
        (["20-07-05", "20-07-06"], [DAY, datetime(2020, 7, 6)]),
        (["99-12-31", "03-01-15"], [datetime(1999, 12, 31), datetime(2003, 1, 15)]),
        (["05/05/2020", "06/06/2020"], [datetime(2020, 5, 5), datetime(2020, 6, 6)]),
        (["05/07/2020", "13/07/20"], [DAY, datetime(2020, 7, 13)]),
        (["20200705", "20200706.0"], [DAY, datetime(2020, 7, 6)]),
        ([20200705, 20200706], [DAY, datetime(2020, 7, 6)]),
        ([20200705.0, None], [DAY, None]),
        (["1998", "2004"], [datetime(1998, 1, 1), datetime(2004, 1, 1)]),
        (["202007", "202012"], [datetime(2020, 7, 1), datetime(2020, 12, 1)]),
        (["202007051012"], [datetime(2020, 7, 5, 10, 12)]),
        (["20200705101256"], [datetime(2020, 7, 5, 10, 12, 56)]),
        (["1593898068", "1593898068.5"], [datetime(2020, 7, 4, 21, 27, 48), datetime(2020, 7, 4, 21, 27, 48, 500000)]),
        (["1593898068378"], [datetime(2020, 7, 4, 21, 27, 48, 378000)]),
        ([1593898068378123], [datetime(2020, 7, 4, 21, 27, 48, 378123)]),
        ([1593898068378123456], [datetime(2020, 7, 4, 21, 27, 48, 378123)]),
        (["2020-07-05", "1998", "2003"], [DAY, datetime(1998, 1, 1), datetime(2003, 1, 1)]),
        (["2020-07-05T12:00:00+02:00", "5 Jul 2020"], [datetime(2020, 7, 5, 10), DAY]),
        (["NULL", " 2020-07-05 ", "", "\\N"], [None, DAY, None, None]),
        (["0010-07-05", "2020-07-05", "2201-01-01"], [None, DAY, None]),
        ([date(2020, 7, 5), date(1, 1, 1)], [DAY, None]),
        (pa.array([DAY], pa.timestamp("us", "UTC")), [DAY]),
        (pa.array(["2020-07-05"], pa.binary()), [DAY]),
    ],
)
def test_notations_are_decided_over_the_column(written: list, read: list) -> None:
    assert values(decide_time(column(written))) == read


def test_a_decision_covers_all_files() -> None:
    early, late = ["01/02/2020", "02/02/2020"], ["25/02/2020"]
    assert values(decide_time(column(early, late)))[0] == datetime(2020, 2, 1)
    typed = decide_time(column([20200705], ["20200706"], pa.array([DAY], pa.timestamp("us"))))
    assert values(typed) == [DAY, datetime(2020, 7, 6), DAY]


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        (["07/12/2010 09:26", "06/01/2011 10:26"], "fits '%d/%m/%Y %H:%M' and '%m/%d/%Y %H:%M'; set `time_format`"),
        (["07/12/10", "06/01/11"], "fits '%d/%m/%y' and '%m/%d/%y' and '%y/%m/%d'"),
        (["13/01/2020", "01/13/2020"], "1 dates fit only '%d/%m/%Y' and 1 only '%m/%d/%Y'"),
        (["20200705", "1593898068"], "1 of 2 numbers look like YYYYMMDD and the others do not"),
        (["1593898068", "1593898068000"], "size of seconds (1) and milliseconds (1)"),
        (["2020.07", "2020.08"], "look like years, but have a fraction"),
        ([True], "is of type BOOLEAN"),
        ([["2020-07-05"]], "is of type VARCHAR"),
    ],
)
def test_what_is_not_certain_is_refused(written: list, complaint: str) -> None:
    with pytest.raises(DataError) as error:
        decide_time(column(written))
    assert complaint in str(error.value)
    assert str(error.value).startswith("a.csv: the column 'v'")


def test_a_doubt_need_not_be_an_error() -> None:
    assert "every date fits" in decide_time(column(["07/12/2010", "06/01/2011"]), must_decide=False).doubt


def test_few_contradictions_are_unreadable_values() -> None:
    days = [f"{day}/07/2020" for day in range(13, 32)]
    assert values(decide_time(column([*days, "05/13/2020"])))[-1] is None
    assert values(decide_time(column([*days, "soon", "20", "0"])))[-3:] == [None] * 3
    numbers = [str(1593898068000 + n) for n in range(19)]
    assert values(decide_time(column([*numbers, "1593898068", "0"])))[-2:] == [None, datetime(1970, 1, 1)]


def test_what_the_configuration_says_counts() -> None:
    assert values(decide_time(column(["07/12/2010"]), time_format="%d/%m/%Y")) == [datetime(2010, 12, 7)]
    assert values(decide_time(column([20200705.0]), time_format="%Y%d%m")) == [datetime(2020, 5, 7)]
    assert values(decide_time(column(["20200705", "0"]), time_unit="s"))[0] == datetime(1970, 8, 22, 19, 18, 25)
    assert values(decide_time(column([5]), time_unit="ms")) == [datetime(1970, 1, 1, 0, 0, 0, 5000)]


def test_a_sentence_tells_how_a_column_is_read() -> None:
    assert decide_time(column(["20200705"])).sentence == "numbers like YYYYMMDD"
    assert decide_time(column(["1593898068378"])).sentence == "milliseconds since 1970"
    assert decide_time(column(["5 Jul 2020 10:00"])).sentence == "text like '%d %b %Y %H:%M'"
    assert decide_time(column(["soon"])).sentence == "no notation of times that is known"


def test_an_offset_does_not_reach_other_rows() -> None:
    written = ["2020-07-05 10:00:00+02:00", "5 Jul 2020", "2020-07-05"] * 3
    assert values(decide_time(column(written))) == [datetime(2020, 7, 5, 8), DAY, DAY] * 3


Writer = Callable[[datetime], str]


def _unpadded(moment: datetime) -> str:
    return f"{moment.month}/{moment.day}/{moment.year} {moment.hour % 12 or 12}:{moment:%M:%S %p}"


def _epoch(factor: int) -> Writer:
    return lambda moment: str((moment - datetime(1970, 1, 1)) // timedelta(microseconds=1) * factor // 1_000_000)


WRITERS: dict[str, tuple[Writer, str]] = {  # how a time is written, and the unit that is written
    "iso": (lambda moment: moment.isoformat(), "s"),
    "iso with a zone": (lambda m: m.replace(tzinfo=UTC).astimezone(timezone(timedelta(hours=5.5))).isoformat(), "s"),
    "compact": (lambda moment: f"{moment:%Y%m%dT%H%M%SZ}", "s"),
    "sql": (lambda moment: f"{moment:%Y-%m-%d %H:%M:%S UTC}", "s"),
    "european": (lambda moment: f"{moment:%d.%m.%Y %H:%M}", "m"),
    "two digits": (lambda moment: f"{moment:%d/%m/%y %H:%M}", "m"),
    "american": (_unpadded, "s"),
    "named": (lambda moment: f"{moment:%d %b %Y %H:%M:%S}", "s"),
    "long": (lambda moment: f"{moment:%B} {moment.day}, {moment:%Y %I:%M %p}", "m"),
    "rfc 2822": (lambda moment: format_datetime(moment.replace(tzinfo=timezone(timedelta(0)))), "s"),
    "apache": (lambda moment: f"{moment:%d/%b/%Y:%H:%M:%S +0000}", "s"),
    "java": (lambda moment: f"{moment:%a %b %d %H:%M:%S UTC %Y}", "s"),
    "digits": (lambda moment: f"{moment:%Y%m%d}", "d"),
    "minutes as digits": (lambda moment: f"{moment:%Y%m%d%H%M}", "m"),
    "seconds": (_epoch(1), "s"),
    "milliseconds": (_epoch(1_000), "s"),
    "microseconds": (_epoch(1_000_000), "s"),
    "nanoseconds": (_epoch(1_000_000_000), "s"),
}
_CUT = {"s": {"microsecond": 0}, "m": {"microsecond": 0, "second": 0}}
_CUT["d"] = {**_CUT["m"], "hour": 0, "minute": 0}


@pytest.mark.parametrize("kind", WRITERS)
@examples(15)
@given(
    st.lists(st.datetimes(datetime(1992, 1, 1), datetime(2038, 12, 31)), min_size=1, max_size=12),
    st.lists(st.sampled_from(["", "NULL", "n/a", "NaT"]), max_size=2),
)
def test_what_was_written_is_read_back(kind: str, moments: list[datetime], missing: list[str]) -> None:
    writer, unit = WRITERS[kind]
    moments = [moment.replace(**_CUT[unit]) for moment in [*moments, datetime(2010, 1, 27), datetime(2010, 12, 31)]]
    moments += [datetime(2010, 12, day) for day in range(1, 32)]  # more days than years
    assert values(decide_time(column([*map(writer, moments), *missing]))) == [*moments, *[None] * len(missing)]
