"""The registry of sources of negatives by the values of `finetune.negatives.source`."""

from interestrec.training.hard_negatives import HARD
from interestrec.training.in_batch_negatives import IN_BATCH
from interestrec.training.popularity_negatives import AUTO, MIXED, POPULARITY, UNIFORM

NEGATIVE_SOURCES = {
    "auto": AUTO,
    "mixed": MIXED,
    "popularity": POPULARITY,
    "uniform": UNIFORM,
    "in_batch": IN_BATCH,
    "hard": HARD,
}
