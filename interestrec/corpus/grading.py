"""Intensity of events: weight of the type × mapped value × decay by age, and combination of a pair's events."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from duckdb import func, sqltypes

from interestrec.core.choices import pick, suggestion
from interestrec.core.errors import VALUE, AbsentNameError, ConfigError, DataError
from interestrec.corpus.combine import combine_events
from interestrec.corpus.event_codes import CLICK
from interestrec.corpus.preprocess_settings import IntensitySettings, ValueMapSettings
from interestrec.corpus.value_maps import MAPS
from interestrec.rawfiles.quality_log import EXAMPLES
from interestrec.rawfiles.raw_log import RawLog, sql_string

_MAX_FIT_VALUES = 1_000_000  # train values that a map is fitted on; of more values every k-th is used


def grade(
    log: RawLog, grading: IntensitySettings, max_bad_rows: int, fitted: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Set the intensity of every event, float32 in [0, 1]; return the fitted value maps by event type.

    The function also creates `history_grades` (segment, grades FLOAT[]) of logged histories with measured values.

    Args:
        fitted: value maps of the log that these events came after: they are graded as its last events, without decay.
            None = maps are fitted on the train values.

    Raises:
        ConfigError: a type in the log has no weight, or the settings do not fit the log.
        DataError: more values are missing or out of range than tolerated.
    """
    require_weights(log, grading)
    if fitted is None:
        _refuse_unknown_types(log, grading)
    _withdraw(log, [event_type for event_type, effect in grading.negative.items() if effect == "withdraw"])
    for event_type, settings in grading.values.items():
        _drop_bad_values(log, event_type, settings, max_bad_rows)
    if any(settings.per_words for settings in grading.values.values()):
        _count_words(log)
    maps = enumerate(grading.values.items())
    parameters = {
        event_type: _fit(log, event_type, settings, n, (fitted or {}).get(event_type))
        for n, (event_type, settings) in maps
    }
    decay = _decay(log, grading) if fitted is None else "1.0"
    log.db.execute(f"CREATE MACRO graded(event_type, amount, code) AS {_formula(grading)}")
    log.replace_table(
        "events",
        f"SELECT *, CAST(graded(event, value, item) * {decay} AS FLOAT) AS intensity FROM events",
    )
    combine_events(log, grading)
    _grade_histories(log, grading.values.get(CLICK))
    return parameters


def click_weight(grading: IntensitySettings) -> float:
    """Return the weight of a click, which entries of logged histories have as well."""
    return grading.weights.get(CLICK, 1.0)


def require_weights(log: RawLog, grading: IntensitySettings) -> None:
    """Check that every event type of the log has a weight, where the configuration sets weights.

    Raises:
        ConfigError: an event type has no weight.
    """
    event_types = [str(row[0]) for row in log.sql("SELECT DISTINCT event FROM events ORDER BY event")]
    known = [*grading.weights, *grading.negative]
    missing = [event_type for event_type in event_types if grading.weights and event_type not in known]
    if missing:
        raise ConfigError(
            f"preprocess.intensity.weights: an event type of the log has no weight; add it to those listed: "
            f"{', '.join(known)}",
            f"; the type is '{missing[0]}'{suggestion(missing[0], known)}",
        )


def _refuse_unknown_types(log: RawLog, grading: IntensitySettings) -> None:
    """Refuse a map or a negative sign for a type that no event has: it is a spelling mistake."""
    event_types = [str(row[0]) for row in log.sql("SELECT DISTINCT event FROM events ORDER BY event")]
    for key, configured in {"values": list(grading.values), "negative": list(grading.negative)}.items():
        for event_type in configured:
            if event_type not in event_types and event_type != CLICK:
                raise AbsentNameError(
                    f"preprocess.intensity.{key}: no event of the log is of type '{event_type}'",
                    f"{suggestion(event_type, event_types)}; there are: {', '.join(event_types)}",
                )


def _withdraw(log: RawLog, kinds: list[str]) -> None:
    """Drop withdrawals and, for each, the latest earlier event of its user and item within its split.

    Let s be the running sum of +1 for an event and -1 for a withdrawal. As with brackets, an event is withdrawn when s
    later falls below its value at the event. Four events of a user and an item in the order of time:

        event   s   smallest later s
        buy     1   1                 stays
        buy     2   1                 is withdrawn, because 1 < 2
        cancel  1   2                 withdraws
        buy     2                     stays
    """
    if not kinds:
        return
    names = ", ".join(sql_string(kind) for kind in kinds)
    log.db.execute(
        f"""
        CREATE TEMP TABLE withdrawn AS
        WITH
            marked AS (SELECT *, event IN ({names}) AS withdraws FROM events),
            summed AS (
                SELECT *, sum(CASE WHEN withdraws THEN -1 ELSE 1 END) OVER pair AS s FROM marked
                WINDOW pair AS (PARTITION BY "user", item, split ORDER BY time, ord, place)
            ),
            compared AS (
                SELECT *, min(s) OVER later AS smallest FROM summed
                WINDOW later AS (
                    PARTITION BY "user", item, split ORDER BY time, ord, place
                    ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
                )
            )
        SELECT ord, place FROM compared WHERE withdraws OR smallest < s
        """
    )
    reason = f"withdrawn by a later {' or '.join(kinds)}, or such an event itself"
    log.drop("withdrawn events", "events", "(ord, place) IN (SELECT (ord, place) FROM withdrawn)", reason)
    log.db.execute("DROP TABLE withdrawn")


def _drop_bad_values(log: RawLog, event_type: str, settings: ValueMapSettings, max_bad_rows: int) -> None:
    low, high = MAPS[settings.map].limits(settings)
    conditions = [f"value < {low!r}"] if np.isfinite(low) else []
    conditions += [f"value > {high!r}"] if np.isfinite(high) else []
    conditions += ["value IS NULL"] if settings.missing is None else []
    if not conditions:
        return
    out_of_range = f"event = {sql_string(event_type)} AND ({' OR '.join(conditions)})"
    count = log.number(f"SELECT count(*) FROM events WHERE {out_of_range}")
    expected = f"{low:g} to {high:g}" if np.isfinite(high) else f"{low:g} or more" if np.isfinite(low) else "a number"
    value_text = "coalesce(CAST(value AS VARCHAR), 'nothing')"
    examples = log.sql(f"SELECT ord, {value_text} FROM events WHERE {out_of_range} ORDER BY ord LIMIT {EXAMPLES}")
    if count > max_bad_rows:
        order, value = examples[0]
        raise DataError(
            f"{log.place(order)}: the value is {VALUE}, preprocess.intensity.values.{event_type} expects {expected}; "
            f"{count} such row(s), data.max_bad_rows allows {max_bad_rows}: correct the file or the map",
            value,
        )
    rows = log.rows("events")
    if count:
        log.db.execute(f"DELETE FROM events WHERE {out_of_range}")
    places = [f"{log.place(order)}: {log.quality.sentence(VALUE, value)}" for order, value in examples]
    log.quality.count("values out of range", rows, rows - count, f"{event_type}: expected {expected}", places=places)


def _count_words(log: RawLog) -> None:
    """Create the table `item_words` (word_item, hundreds): hundreds of words of title and text per item.

    An item without words gets the median of train. Where event rows describe an item, those of its earliest split
    count. No column is named `item`, because that name means the event's item in the macro `graded`.
    """
    words = "len(list_filter(string_split_regex(concat_ws(' ', title, text), '\\s+'), lambda w: w <> ''))"
    log.db.execute(
        f"""
        CREATE TABLE item_words AS
        WITH
            descriptions AS (
                SELECT
                    c.item AS word_item,
                    {words} AS words,
                    CASE WHEN event_ord IS NULL THEN 0 ELSE coalesce(enum_code(e.split), 3) END AS rank
                FROM items i JOIN item_codes c USING (item_id) LEFT JOIN events e ON i.event_ord = e.ord
            ),
            ranked AS (SELECT *, min(rank) OVER (PARTITION BY word_item) AS earliest FROM descriptions)
        SELECT word_item, max(words) / 100.0 AS hundreds FROM ranked WHERE rank = earliest GROUP BY word_item
        """
    )
    middle = log.sql(
        "SELECT median(hundreds) FROM item_words WHERE hundreds > 0 AND word_item IN "
        "(SELECT item FROM events WHERE split = 'train')"
    )[0][0]
    log.db.execute("UPDATE item_words SET hundreds = ? WHERE hundreds = 0", [middle or 1.0])


def _map_input(settings: ValueMapSettings) -> str:
    """Return the SQL of the number that a map is applied to."""
    if not settings.per_words:
        return "amount"
    return "amount / (SELECT hundreds FROM item_words WHERE word_item = code)"


def _fit(
    log: RawLog, event_type: str, settings: ValueMapSettings, number: int, fitted: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Fit a map on the train values of a type, make it the SQL function `map_<number>`, and return its parameters.

    Args:
        fitted: the result for an earlier log, which is then used instead.
    """
    source = "events" if not settings.per_words else "events JOIN item_words w ON item = word_item"
    measured = "value" if not settings.per_words else "value / w.hundreds"
    value_map = pick(MAPS, settings.map, "value map")
    if fitted is None:
        train_rows = f"FROM {source} WHERE event = {sql_string(event_type)} AND split = 'train' AND value IS NOT NULL"
        step = max(log.number(f"SELECT count(*) {train_rows}") // _MAX_FIT_VALUES, 1)
        train = log.table(f"SELECT {measured} AS v {train_rows} AND ord % {step} = 0")["v"].to_numpy()
        parameters = value_map.fit(settings, train)
    else:
        parameters = {name: value for name, value in fitted.items() if name not in ("map", "per")}

    def mapped(values: pa.Array) -> pa.Array:
        is_present = values.is_valid().to_numpy(zero_copy_only=False)
        result = value_map.apply(values.fill_null(0.0).to_numpy(zero_copy_only=False), **parameters)
        return pa.array(np.clip(result, 0.0, 1.0), mask=~is_present)

    double = sqltypes.DOUBLE
    log.db.create_function(f"map_{number}", mapped, [double], double, type=func.ARROW)
    return {"map": settings.map, **parameters, **({"per": "100 words"} if settings.per_words else {})}


def _formula(grading: IntensitySettings) -> str:
    """Return the SQL of weight × mapped value."""
    zero_types = [kind for kind, effect in grading.negative.items() if effect == "zero"]
    weights = "".join(
        f" WHEN {sql_string(k)} THEN {w!r}" for k, w in {**grading.weights, **dict.fromkeys(zero_types, 0.0)}.items()
    )
    weight = f"CASE event_type{weights} ELSE 1.0 END" if weights else "1.0"
    maps = "".join(
        f" WHEN {sql_string(kind)} THEN coalesce(map_{n}({_map_input(settings)}), {settings.missing or 0.0!r})"
        for n, (kind, settings) in enumerate(grading.values.items())
    )
    return f"({weight}) * (CASE event_type{maps} ELSE 1.0 END)" if maps else f"({weight})"


def _grade_histories(log: RawLog, clicks: ValueMapSettings | None) -> None:
    """Create `history_grades` (segment, grades FLOAT[]): entries of logged histories are graded as clicks.

    An entry without a value, or with one outside the limits of the map, gets the grade of a missing value where the
    settings define one; otherwise its grade is null, and it gets the weight of a click.
    """
    low, high = (-np.inf, np.inf) if clicks is None else MAPS[clicks.map].limits(clicks)
    conditions = [f"amount < {low!r}"] if np.isfinite(low) else []
    conditions += [f"amount > {high!r}"] if np.isfinite(high) else []
    outside = " OR ".join(conditions) or "false"
    log.db.execute(
        "CREATE TEMP TABLE measured AS SELECT segment, unnest(items) AS code, unnest(amounts) AS amount, "
        "generate_subscripts(items, 1) AS place FROM segments WHERE amounts IS NOT NULL"
    )
    count = log.number(f"SELECT count(*) FROM measured WHERE {outside}")
    rows = log.rows("measured")
    if count:
        log.quality.count("history values out of range", rows, rows, f"{count} entries count as not measured")
    graded = f"graded('{CLICK}', CASE WHEN {outside} THEN NULL ELSE amount END, code)"
    ungraded = "false" if clicks is None or clicks.missing is not None else f"amount IS NULL OR {outside}"
    log.db.execute(
        f"""
        CREATE TABLE history_grades AS
        WITH graded_entries AS (
            SELECT segment, place, CASE WHEN {ungraded} THEN NULL ELSE CAST({graded} AS FLOAT) END AS grade
            FROM measured
        )
        SELECT segment, list(grade ORDER BY place) AS grades FROM graded_entries GROUP BY segment;
        DROP TABLE measured
        """
    )


def _decay(log: RawLog, grading: IntensitySettings) -> str:
    """Return the SQL of 2^(-age / half-life), with the age at the end of train; later events do not decay."""
    if grading.half_life_days is None:
        return "1.0"
    if log.number("SELECT count(*) FROM events WHERE split = 'train' AND time IS NULL"):
        reason = "needs a time of every train event; map a time column or remove the key"
        raise ConfigError(f"preprocess.intensity.half_life_days {reason}")
    end = log.number("SELECT epoch_us(max(time)) FROM events WHERE split = 'train'")
    days = f"({end} - epoch_us(time)) / {86400e6!r}"
    return f"CASE WHEN split = 'train' THEN pow(2, -({days}) / {grading.half_life_days!r}) ELSE 1.0 END"
