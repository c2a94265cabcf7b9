"""The one reader of numbers: prices, values of events and numbers of users, with currencies, marks and signs.

Whether a comma or a point is the decimal mark is decided over a whole column; a text that is more than one number, such
as `from 5` or `5-9`, is unreadable.
"""

from __future__ import annotations

from dataclasses import dataclass

from interestrec.columns.whole_columns import TEXT_TYPES, WholeColumn, is_clear, is_whole_type
from interestrec.core.errors import TooFewRowsError
from interestrec.rawfiles.raw_log import sql_string

# Codes of ISO 4217 and the signs of letters that shops write; other signs, such as € and ₽, are of Unicode's class Sc.
_CODES = (
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF "
    "CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG "
    "HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA "
    "MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD "
    "RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX "
    "USD UYU UZS VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW DEM FRF RMB HRK"
)
_LEV, _RUBLE = "\u043b\u0432", "\u0440(?:\u0443\u0431)?"
_WORDS = (
    rf"euros? dollars? kr\. kr zł Kč Ft lei leva {_LEV}\.? {_RUBLE}\.? SFr\. Fr\.? Rs\.? RM Rp\.? din TL 円 元 원 "
    r"B/\. S/\.? R"
)
_BEFORE_SIGNS = "US CA C AU A NZ HK S R RD NT MX"  # `US$`, `R$`
_SPACES = r"[\s\p{Z}]*"
_CURRENCY = rf"(?:(?:{'|'.join(_BEFORE_SIGNS.split())})?\p{{Sc}}|{'|'.join([*_WORDS.split(), *_CODES.split()])})"
_MINUS = "-\u2212"
_SIGN = f"[{_MINUS}+]"
# Groups of digits between thousands marks: of three, or of two as in 1,29,900; the mark is the same throughout.
_GROUPS = {
    ".": "(?:,[0-9]{2,3})*,[0-9]{3}",
    ",": r"(?:\.[0-9]{3})+",
}
_OTHER_GROUPS = r"(?:[\s\p{Z}][0-9]{3})+|(?:'[0-9]{3})+|(?:\x{2019}[0-9]{3})+"


def _pattern(decimal: str) -> str:
    """Return the pattern of the texts that are one number with this decimal mark; group 1 is the number."""
    mark = f"[{decimal}]"
    whole = f"[1-9][0-9]{{0,2}}(?:{_GROUPS[decimal]}|{_OTHER_GROUPS})|[0-9]+"
    number = f"(?:(?:{whole})(?:{mark}[0-9]*)?|{mark}[0-9]+)(?:[eE][-+]?[0-9]+)?"
    no_cents = r"(?:[,.:]?[-\x{2013}\x{2014}])?"  # `12,-`
    return rf"(?i){_SIGN}?{_SPACES}{_CURRENCY}?{_SPACES}{_SIGN}?{_SPACES}({number}){no_cents}{_SPACES}{_CURRENCY}?"


@dataclass(frozen=True)
class NumberNotation:
    """How the numbers of a column are written."""

    column: WholeColumn
    decimal: str = "."  # the decimal mark of texts
    is_plain: bool = True  # whether every text is a number as programs write it
    doubt: str = ""  # why the decimal mark may be the other

    @property
    def sentence(self) -> str:
        """How the column is read, as a phrase."""
        if self.is_plain:
            return "numbers"
        return f"numbers with {'a comma' if self.decimal == ',' else 'a point'} before the decimals"

    def expression(self, sql_type: str) -> str:
        """Return the SQL of a value of this type as a DOUBLE, null where it is missing or unreadable."""
        value = self.column.typed(sql_type)
        if sql_type in TEXT_TYPES and not self.is_plain:
            return marked_number(value, self.decimal)
        number = f"try_cast({value} AS DOUBLE)"
        return number if is_whole_type(sql_type) else f"CASE WHEN isfinite({number}) THEN {number} END"

    def reads_all(self) -> bool:
        """Whether every value of the column that is not missing is a number."""
        parts = self.column.parts
        return not any(
            self.column.log.number(f"SELECT count(*) FROM {part.relation} WHERE {self.unreadable(part.sql_type)}")
            for part in parts
        )

    def unreadable(self, sql_type: str) -> str:
        """Return the SQL that is true for values that are neither missing nor readable."""
        return f"{self.column.text(sql_type)} IS NOT NULL AND {self.expression(sql_type)} IS NULL"


def marked_number(text: str, decimal: str = ".") -> str:
    """Return the SQL of a text, perhaps with a currency and thousands marks, as a DOUBLE; null if it is not a number.

    Args:
        text: SQL of the text without white space around it.
        decimal: the decimal mark, a point or a comma.
    """
    digits = f"regexp_extract({text}, {sql_string(f'^{_pattern(decimal)}$')}, 1)"
    number = f"try_cast(replace(regexp_replace({digits}, '[^0-9eE{decimal}+-]+', '', 'g'), '{decimal}', '.') AS DOUBLE)"
    signed = f"CASE WHEN regexp_matches({text}, '^[^0-9]*[{_MINUS}]') THEN -{number} ELSE {number} END"
    return f"CASE WHEN isfinite({number}) THEN {signed} END"


def decide_number(column: WholeColumn, decimal: str | None = None, must_decide: bool = True) -> NumberNotation:
    """Decide how the numbers of a column are written.

    A text such as 1,299 or 1.299 does not tell its decimal mark. Where no other value does, a comma separates
    thousands; a point stands before decimals, except that beside a currency it may separate thousands as well.

    Args:
        decimal: the decimal mark that the configuration gives; None = by the values.
        must_decide: whether it is an error if the column does not tell the decimal mark.

    Returns:
        The notation; `doubt` says why the decimal mark is not certain, if it need not be.

    Raises:
        TooFewRowsError: the column does not tell the decimal mark.
    """
    plain = "isfinite(try_cast(v AS DOUBLE)) AND NOT contains(v, '_')"
    values, n_plain = column.totals(column.parts_of_text(), "count(*)", f"count(*) FILTER (WHERE {plain})")
    if decimal is not None:
        return NumberNotation(column, decimal, is_plain=not values)
    if values == n_plain:
        return NumberNotation(column)
    point, comma = (f"regexp_full_match(v, {sql_string(_pattern(mark))})" for mark in ".,")
    both = f"{point} AND {comma}"
    only_point, only_comma, with_point, with_comma = column.totals(
        column.parts_of_text(),
        f"count(*) FILTER (WHERE {point} AND NOT {comma})",
        f"count(*) FILTER (WHERE {comma} AND NOT {point})",
        f"count(*) FILTER (WHERE {both} AND regexp_matches(v, '[0-9][.][0-9]'))",
        f"count(*) FILTER (WHERE {both} AND regexp_matches(v, '[0-9],[0-9]'))",
    )
    chosen, doubt = ".", ""
    if is_clear(only_comma, only_point):
        chosen = ","
    elif only_point and not is_clear(only_point, only_comma):
        doubt = f"{only_point:,} values have a decimal point and {only_comma:,} a decimal comma"
    elif with_point and not only_point and (n_plain < values or with_comma):
        doubt = "values such as 1.299 do not tell whether the point separates decimals or thousands"
    if doubt:
        doubt += f"; set `decimal` in {column.key} to the decimal mark"
        if must_decide:
            raise TooFewRowsError(f"{column.subject} cannot be read as numbers: {doubt}")
    return NumberNotation(column, chosen, is_plain=False, doubt=doubt)
