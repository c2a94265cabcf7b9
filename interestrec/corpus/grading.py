"""How strong an event is: weight of its type × mapped value, faded by age, and several events of a pair as one."""

from typing import Any

import numpy as np
import pyarrow as pa
from duckdb import func, sqltypes

from interestrec.core.choices import pick, suggestion
from interestrec.core.errors import VALUE, ConfigError, DataError
from interestrec.corpus.combine import combine_events
from interestrec.corpus.event_codes import CLICK
from interestrec.corpus.preprocess_settings import IntensitySettings, ValueMapSettings
from interestrec.corpus.value_maps import MAPS
from interestrec.formats.quality_log import EXAMPLES
from interestrec.formats.raw_log import RawLog, quoted

_MOST_FITTED = 1_000_000  # train values that a map is fitted on; of more, every k-th


def grade(log: RawLog, grading: IntensitySettings, max_bad_rows: int) -> dict[str, Any]:
    """Give every event its intensity, float32 in [0, 1]; the fitted parameters of the value maps by event type.

    Also makes `history_grades` (segment, grades FLOAT[]) of the stated histories whose entries were measured.

    Raises:
        ConfigError: a type in the log has no weight, or what is asked for does not fit the log.
        DataError: more values missing or out of range than tolerated.
    """
    require_weights(log, grading)
    _require_known_types(log, grading)
    _withdraw(log, [kind for kind, how in grading.negative.items() if how == "withdraw"])
    for kind, chosen in grading.values.items():
        _refuse_bad_values(log, kind, chosen, max_bad_rows)
    if any(chosen.per_words for chosen in grading.values.values()):
        _count_words(log)
    fitted = {kind: _fit(log, kind, chosen, n) for n, (kind, chosen) in enumerate(grading.values.items())}
    log.db.execute(f"CREATE MACRO graded(kind, amount, code) AS {_formula(grading)}")
    log.remake(
        "events",
        f"SELECT *, CAST(graded(event, value, item) * {_decay(log, grading)} AS FLOAT) AS intensity FROM events",
    )
    combine_events(log, grading)
    _grade_histories(log, grading.values.get(CLICK))
    return fitted


def click_weight(grading: IntensitySettings) -> float:
    """Weight of a click, which is also that of an entry of a stated history."""
    return grading.weights.get(CLICK, 1.0)


def require_weights(log: RawLog, grading: IntensitySettings) -> None:
    """Every event type of the log has a weight, where weights are given.

    Raises:
        ConfigError: one has none.
    """
    found = [str(row[0]) for row in log.sql("SELECT DISTINCT event FROM events ORDER BY event")]
    known = [*grading.weights, *grading.negative]
    missing = [kind for kind in found if grading.weights and kind not in known]
    if missing:
        raise ConfigError(
            f"preprocess.intensity.weights: an event type of the log has no weight; weights are given for: "
            f"{', '.join(known)}",
            f"; the type is '{missing[0]}'{suggestion(missing[0], known)}",
        )


def _require_known_types(log: RawLog, grading: IntensitySettings) -> None:
    """A map or a sign for a type that no event has is a spelling mistake."""
    found = [str(row[0]) for row in log.sql("SELECT DISTINCT event FROM events ORDER BY event")]
    for key, kinds in {"values": list(grading.values), "negative": list(grading.negative)}.items():
        for kind in kinds:
            if kind not in found and kind != CLICK:
                raise ConfigError(
                    f"preprocess.intensity.{key}: no event of the log is of type '{kind}'",
                    f"{suggestion(kind, found)}; there are: {', '.join(found)}",
                )


def _withdraw(log: RawLog, kinds: list[str]) -> None:
    """An event that withdraws takes back the latest earlier event of its user and item within its split.

    With s the running sum of +1 for an event and -1 for a withdrawal, an event is withdrawn when s falls below its
    own value afterwards, as a bracket is closed. Four events of a user and an item in the order of time:

        event   s   least s later
        buy     1   1               stays
        buy     2   1               is withdrawn, for 1 < 2
        cancel  1   2               withdraws
        buy     2                   stays
    """
    if not kinds:
        return
    names = ", ".join(quoted(kind) for kind in kinds)
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
                SELECT *, min(s) OVER later AS least FROM summed
                WINDOW later AS (
                    PARTITION BY "user", item, split ORDER BY time, ord, place
                    ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
                )
            )
        SELECT ord, place FROM compared WHERE withdraws OR least < s
        """
    )
    reason = f"withdrawn by a later {' or '.join(kinds)}, or such an event itself"
    log.drop("withdrawn events", "events", "(ord, place) IN (SELECT (ord, place) FROM withdrawn)", reason)
    log.db.execute("DROP TABLE withdrawn")


def _refuse_bad_values(log: RawLog, kind: str, chosen: ValueMapSettings, max_bad_rows: int) -> None:
    low, high = MAPS[chosen.map].limits(chosen)
    tests = [f"value < {low!r}"] if np.isfinite(low) else []
    tests += [f"value > {high!r}"] if np.isfinite(high) else []
    tests += ["value IS NULL"] if chosen.missing is None else []
    if not tests:
        return
    wrong = f"event = {quoted(kind)} AND ({' OR '.join(tests)})"
    count = log.number(f"SELECT count(*) FROM events WHERE {wrong}")
    expected = f"{low:g} to {high:g}" if np.isfinite(high) else f"{low:g} or more" if np.isfinite(low) else "a number"
    shown = "coalesce(CAST(value AS VARCHAR), 'nothing')"
    bad = log.sql(f"SELECT ord, {shown} FROM events WHERE {wrong} ORDER BY ord LIMIT {EXAMPLES}")
    if count > max_bad_rows:
        order, value = bad[0]
        raise DataError(
            f"{log.place(order)}: the value is {VALUE}, preprocess.intensity.values.{kind} expects {expected}; "
            f"{count} such row(s), data.max_bad_rows allows {max_bad_rows}: correct the file or the map",
            value,
        )
    rows = log.rows("events")
    if count:
        log.db.execute(f"DELETE FROM events WHERE {wrong}")
    places = [f"{log.place(order)}: {log.quality.sentence(VALUE, value)}" for order, value in bad]
    log.quality.count("values out of range", rows, rows - count, f"{kind}: expected {expected}", places=places)


def _count_words(log: RawLog) -> None:
    """Table `item_words` (word_item, hundreds): hundreds of words of title and text; the median of train for none.

    Where event rows describe an item, those of its earliest split count. No column is called `item`, which in
    `graded` is that of the event.
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


def _measured(chosen: ValueMapSettings) -> str:
    """SQL of the number that is mapped."""
    if not chosen.per_words:
        return "amount"
    return "amount / (SELECT hundreds FROM item_words WHERE word_item = code)"


def _fit(log: RawLog, kind: str, chosen: ValueMapSettings, number: int) -> dict[str, Any]:
    """Fit a map on the train values of its type and make it the SQL function `map_<number>`."""
    source = "events" if not chosen.per_words else "events JOIN item_words w ON item = word_item"
    measured = "value" if not chosen.per_words else "value / w.hundreds"
    chosen_rows = f"FROM {source} WHERE event = {quoted(kind)} AND split = 'train' AND value IS NOT NULL"
    step = max(log.number(f"SELECT count(*) {chosen_rows}") // _MOST_FITTED, 1)
    train = log.table(f"SELECT {measured} AS v {chosen_rows} AND ord % {step} = 0")["v"].to_numpy()
    value_map = pick(MAPS, chosen.map, "value map")
    parameters = value_map.fit(chosen, train)

    def mapped(values: pa.Array) -> pa.Array:
        present = values.is_valid().to_numpy(zero_copy_only=False)
        found = value_map.apply(values.fill_null(0.0).to_numpy(zero_copy_only=False), **parameters)
        return pa.array(np.clip(found, 0.0, 1.0), mask=~present)

    double = sqltypes.DOUBLE
    log.db.create_function(f"map_{number}", mapped, [double], double, type=func.ARROW)
    return {"map": chosen.map, **parameters, **({"per": "100 words"} if chosen.per_words else {})}


def _formula(grading: IntensitySettings) -> str:
    """SQL of weight × mapped value."""
    zero = [kind for kind, how in grading.negative.items() if how == "zero"]
    weights = "".join(
        f" WHEN {quoted(k)} THEN {w!r}" for k, w in {**grading.weights, **dict.fromkeys(zero, 0.0)}.items()
    )
    weight = f"CASE kind{weights} ELSE 1.0 END" if weights else "1.0"
    maps = "".join(
        f" WHEN {quoted(kind)} THEN coalesce(map_{n}({_measured(chosen)}), {chosen.missing or 0.0!r})"
        for n, (kind, chosen) in enumerate(grading.values.items())
    )
    return f"({weight}) * (CASE kind{maps} ELSE 1.0 END)" if maps else f"({weight})"


def _grade_histories(log: RawLog, clicks: ValueMapSettings | None) -> None:
    """Entries of stated histories are clicks. One that was not measured, or measured outside of what the map takes,
    has the grade of a missing value where the map gives one; else none, and weighs what a click does.
    """
    low, high = (-np.inf, np.inf) if clicks is None else MAPS[clicks.map].limits(clicks)
    tests = [f"amount < {low!r}"] if np.isfinite(low) else []
    tests += [f"amount > {high!r}"] if np.isfinite(high) else []
    outside = " OR ".join(tests) or "false"
    log.db.execute(
        "CREATE TEMP TABLE measured AS SELECT segment, unnest(items) AS code, unnest(amounts) AS amount, "
        "generate_subscripts(items, 1) AS place FROM segments WHERE amounts IS NOT NULL"
    )
    wrong = log.number(f"SELECT count(*) FROM measured WHERE {outside}")
    rows = log.rows("measured")
    if wrong:
        log.quality.count("history values out of range", rows, rows, f"{wrong} entries count as not measured")
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
    """SQL of 2^(-age / half-life), age from the end of train; later events are as new as can be."""
    if grading.half_life_days is None:
        return "1.0"
    if log.number("SELECT count(*) FROM events WHERE split = 'train' AND time IS NULL"):
        raise ConfigError("preprocess.intensity.half_life_days needs a time of every train event; map a time column")
    end = log.number("SELECT epoch_us(max(time)) FROM events WHERE split = 'train'")
    days = f"({end} - epoch_us(time)) / {86400e6!r}"
    return f"CASE WHEN split = 'train' THEN pow(2, -({days}) / {grading.half_life_days!r}) ELSE 1.0 END"
