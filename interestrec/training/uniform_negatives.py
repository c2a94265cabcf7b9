"""The source `uniform`: equal rates for all items that are positives in train."""

from interestrec.core.section import Section
from interestrec.training.negative_sampler import NegativeSampler
from interestrec.training.negative_source import NegativeInputs, NegativeSource


def uniform_negatives(inputs: NegativeInputs, settings: Section) -> NegativeSampler:
    """Create a sampler that draws all items with a popularity above 0 equally often."""
    return NegativeSampler.from_popularity(inputs.popularity, inputs.count, 0.0)


UNIFORM = NegativeSource(uniform_negatives, "draws alike among items liked in train")
