"""Cleaning that needs no statistics of the log, and the grading of events. Every rule is counted."""

from collections.abc import Mapping

from interestrec.core.catalogue import suggestion
from interestrec.core.errors import ConfigError, DataError
from interestrec.formats.raw import Log
