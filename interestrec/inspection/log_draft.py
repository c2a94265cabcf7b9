"""The configuration that a set of sampled tables suggests: which table is what, which column means what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from interestrec.inspection.draft_parts import ConfigurationDraft, DraftPlace
from interestrec.inspection.event_draft import draft_events
from interestrec.inspection.impression_draft import draft_impressions
from interestrec.inspection.impression_roles import assign_impression_roles
from interestrec.inspection.intensity_guess import put_value_map
from interestrec.inspection.known_layouts import KnownLayout, recognise
from interestrec.inspection.model_guess import put_item_fields, put_model
from interestrec.inspection.sampled_table import SampledTable
from interestrec.inspection.table_joins import find_joins
from interestrec.inspection.time_guess import TimeGuess, guess_time
from interestrec.rawfiles.raw_log import RawLog

_LEAST_SCORE = 0.5  # of a table of events

Times = Mapping[str, TimeGuess]


def draft_configuration(
    log: RawLog, tables: Sequence[SampledTable], place: DraftPlace, answers: Mapping[str, str]
) -> ConfigurationDraft:
    """Return the configuration that the tables suggest, with the questions that they leave open.

    Args:
        answers: by the key of a question.

    Raises:
        DataError: no table has users and items.
    """
    draft = ConfigurationDraft()
    draft.put(("version",), 1)
    draft.put(("workspace",), str(place.workspace))
    draft.put(("seed",), 42)
    times = [_times(log, table) for table in tables]
    known = recognise(tables)
    if known is not None:
        _put_known(draft, known, tables, place)
        return draft
    for position, table in enumerate(tables):
        impressions = assign_impression_roles(table, times[position])
        if impressions is not None:
            draft_impressions(draft, tables, position, impressions, times, place)
            return draft
    joins = find_joins(log, tables)
    draft_events(log, draft, tables, times, joins, place, answers)
    return draft


def _times(log: RawLog, table: SampledTable) -> Times:
    guesses = {column.name: guess_time(log, table.relation, column) for column in table.columns}
    return {name: guess for name, guess in guesses.items() if guess is not None}


def _put_known(
    draft: ConfigurationDraft, known: KnownLayout, tables: Sequence[SampledTable], place: DraftPlace
) -> None:
    draft.put(("data", "format"), known.data["format"], f"sure: {known.sentence}")
    draft.put(("data", "root"), str(place.root))
    for key, value in known.data.items():
        if key != "format":
            draft.put(("data", key), value)
    draft.remark(("data",), *known.notes)
    draft.findings.append(f"The files are {known.sentence}, which data.format {known.data['format']} reads (sure).")
    if known.value is not None:
        put_value_map(draft, known.event, known.value)
    if known.is_given_split:
        draft.put(("preprocess", "split"), {"method": "given"}, "the files of data are splits")
    elif known.has_times:
        draft.put(
            ("preprocess", "split"), {"method": "user_time", "valid": 0.1, "test": 0.2}, "the last events of each user"
        )
    else:
        draft.put(
            ("preprocess", "split"), {"method": "user_random", "valid": 0.1, "test": 0.2}, "the events have no times"
        )
    texts = {role: [column] for role, column in known.texts.items()}
    put_item_fields(draft, texts, has_times=known.has_times)
    put_model(draft, list(known.texts.values()), place, has_times=known.has_times)
    unused = [table.group.label for n, table in enumerate(tables) if n not in known.used]
    if unused:
        draft.findings.append(f"Not used: {', '.join(unused)}.")
