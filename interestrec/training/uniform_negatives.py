"""The source `uniform`: negatives alike among the items that are positives in train."""

from interestrec.core.section import Section
from interestrec.training.negative_sampler import NegativeSampler
from interestrec.training.negative_source import NegativeInputs, NegativeSource


def uniform_negatives(inputs: NegativeInputs, settings: Section) -> NegativeSampler:
    """Draws all items with a popularity above 0 equally often."""
    return NegativeSampler.from_popularity(inputs.popularity, inputs.count, 0.0)


UNIFORM = NegativeSource(uniform_negatives, "draws alike among items liked in train")
