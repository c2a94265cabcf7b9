"""The keys of formats whose tables may spell the same id differently."""

from interestrec.columns.id_notations import IdSpelling
from interestrec.formats.data_settings import DataSettings


class SpelledData(DataSettings):
    """Keys that say how ids are spelled alike in all tables of a log."""

    ids: IdSpelling = IdSpelling()
    """How the ids of items are spelled alike in all tables; without keys they stay as they are written."""
    user_ids: IdSpelling = IdSpelling()
    """How the ids of users are spelled alike in all tables; without keys they stay as they are written."""
