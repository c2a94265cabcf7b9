"""The source `popularity`: negatives in proportion to a power of how often items are positives."""

from interestrec.core.section import NotNegative, Section
from interestrec.training.negative_sampler import NegativeSampler
from interestrec.training.negative_source import NegativeInputs, NegativeSource


class PopularityNegativeSettings(Section):
    """Keys of sources that draw by popularity."""

    exponent: NotNegative = 1.0
    """Power of popularity by which negatives are drawn (`popularity` and `hard`): 0 draws alike, 1 in proportion, above
    1 favours popular items more."""


def popularity_negatives(inputs: NegativeInputs, settings: PopularityNegativeSettings) -> NegativeSampler:
    """Create a sampler in proportion to popularity^exponent."""
    return NegativeSampler.from_popularity(inputs.popularity, inputs.count, settings.exponent)


POPULARITY = NegativeSource(popularity_negatives, "draws by popularity^exponent", PopularityNegativeSettings)
