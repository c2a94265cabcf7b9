"""Shapes of times and their formats."""

import re

import pytest

from interestrec.columns.time_layouts import layout_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2020-07-05", "%Y-%m-%d"),
        ("2020/7/5 3:04", "%Y/%m/%d %H:%M"),
        ("2020-07-05T10:00:00.123Z", "%Y-%m-%dT%H:%M:%S.%nZ"),
        ("2020-07-05 10:00:00,5 +02:00", "%Y-%m-%d %H:%M:%S,%n %z"),
        ("2020-07-05 10:00:00 UTC", "%Y-%m-%d %H:%M:%S UTC"),
        ("20200705T100000Z", "%Y%m%dT%H%M%SZ"),
        ("05 Jul 2020", "%d %b %Y"),
        ("5. July 2020 10:00", "%d. %B %Y %H:%M"),
        ("July 5th, 2020 3:04 PM", "%B %dth, %Y %I:%M %p"),
        ("May 5, 2020", "%b %d, %Y"),
        ("Sun, 05 Jul 2020 10:00:00 +0200", "%a, %d %b %Y %H:%M:%S %z"),
        ("Sunday, July 5, 2020", "%A, %B %d, %Y"),
        ("05/Jul/2020:10:00:00 +0000", "%d/%b/%Y:%H:%M:%S %z"),
        ("05-JUL-20 10.00.00", "%d-%b-%y %H.%M.%S"),
        ("05JUL2020:10:00:00", "%d%b%Y:%H:%M:%S"),
        ("Sat Jul  4 10:00:00 2020", "%a %b %d %H:%M:%S %Y"),
        ("Sat Jul 04 10:00:00 UTC 2020", "%a %b %d %H:%M:%S UTC %Y"),
        ("Sat Jul 04 2020 10:00:00 GMT+0200 (CEST)", "%a %b %d %Y %H:%M:%S GMT%z (CEST)"),
        ("2020年7月5日", "%Y年%m月%d日"),
        ("2020-07", "%Y-%m"),
        ("July 2020", "%B %Y"),
    ],
)
def test_formats_whose_order_is_certain(text: str, expected: str) -> None:
    layout = layout_of(re.sub("[0-9]", "9", text))
    assert layout is not None
    assert layout.formats == (("", expected),)


def test_formats_whose_order_is_open() -> None:
    layout = layout_of("9/99/99 99:99 PM")
    assert layout is not None
    assert layout.formats == (
        ("dmy", "%d/%m/%y %I:%M %p"),
        ("mdy", "%m/%d/%y %I:%M %p"),
        ("ymd", "%y/%m/%d %I:%M %p"),
    )
    layout = layout_of("99.99.9999")
    assert layout is not None
    assert [order for order, _ in layout.formats] == ["dmy", "mdy"]


def test_names_of_zones_shift_the_time() -> None:
    offsets = {"PDT": -420, "CEST": 120, "GMT": 0}
    for zone, minutes in offsets.items():
        layout = layout_of(f"Sun, 99 Jul 9999 99:99:99 {zone}")
        assert layout is not None
        assert layout.offset == minutes


@pytest.mark.parametrize("shape", ["hello", "99.9", "99:99:99", "99 Foo 9999", "9999-99-99 soon", "", "v9.99.99"])
def test_other_texts_are_no_times(shape: str) -> None:
    assert layout_of(shape) is None
