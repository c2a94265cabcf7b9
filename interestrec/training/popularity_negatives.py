"""The sources `auto`, `popularity`, `uniform` and `mixed`: draws by a power of popularity, alike, or both."""

from interestrec.core.section import NotNegative, Section
from interestrec.training.negative_sampler import NegativeSampler
from interestrec.training.negative_source import NegativeInputs, NegativeSource


class PopularityNegativeSettings(Section):
    """Keys of sources that draw by popularity."""

    exponent: NotNegative = 1.0
    """Power of popularity by which negatives are drawn (not by `uniform` and `in_batch`): 0 draws alike, 1 in
    proportion, above 1 favours popular items more."""


def popularity_negatives(inputs: NegativeInputs, settings: PopularityNegativeSettings) -> NegativeSampler:
    """Create a sampler in proportion to popularity^exponent."""
    return NegativeSampler.from_popularity(inputs.popularity, inputs.count, inputs.most, settings.exponent)


def uniform_negatives(inputs: NegativeInputs, settings: Section) -> NegativeSampler:
    """Create a sampler that draws all items with a popularity above 0 equally often."""
    return NegativeSampler.from_popularity(inputs.popularity, inputs.count, inputs.most, popular_share=0.0)


def mixed_negatives(inputs: NegativeInputs, settings: PopularityNegativeSettings) -> NegativeSampler:
    """Create a sampler whose draws are half by popularity, half alike (Yang et al. 2020, "Mixed negative sampling")."""
    return NegativeSampler.from_popularity(
        inputs.popularity, inputs.count, inputs.most, settings.exponent, popular_share=0.5
    )


def auto_negatives(inputs: NegativeInputs, settings: PopularityNegativeSettings) -> NegativeSampler:
    """Create the sampler for what is learned, see SharedNegatives."""
    return (mixed_negatives if inputs.of_catalogue else popularity_negatives)(inputs, settings)


AUTO = NegativeSource(
    auto_negatives, "as `popularity` where impressions are shown, else as `mixed`", PopularityNegativeSettings
)
MIXED = NegativeSource(
    mixed_negatives,
    "draws half by popularity^exponent, half alike among items liked in train",
    PopularityNegativeSettings,
)
POPULARITY = NegativeSource(popularity_negatives, "draws by popularity^exponent", PopularityNegativeSettings)
UNIFORM = NegativeSource(uniform_negatives, "draws alike among items liked in train")
