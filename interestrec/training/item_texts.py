"""The encoder of texts whose layers may learn, and what it reads of items and users."""

from dataclasses import dataclass

import numpy as np

from interestrec.core.errors import ConfigError
from interestrec.corpus.store import Corpus
from interestrec.encoding.encoder_caches import hidden_cache, vector_cache
from interestrec.encoding.encoder_settings import TextEncoderSettings
from interestrec.encoding.hidden_cache import HiddenCache
from interestrec.encoding.int8_encoder import Int8Encoder
from interestrec.encoding.item_encoders import ItemEncoders
from interestrec.encoding.vector_cache import VectorCache
from interestrec.model.encoder import Encoder, EncoderInputs
from interestrec.model.two_tower_config import TextUser
from interestrec.model.user_towers import USER_TOWERS
from interestrec.training.finetune_settings import FinetuneSettings


@dataclass(frozen=True)
class Caches:
    """Caches of the outputs of frozen parts of the encoder; results do not depend on them."""

    vectors: VectorCache
    hidden: HiddenCache


@dataclass(frozen=True)
class ItemTexts:
    """The encoder of texts whose layers may learn, and what it reads of the items."""

    modality: str  # name of the encoder
    encoder: Encoder  # built in the scope of the execution's strategy
    inputs: EncoderInputs
    caches: Caches | None = None
    frozen: Int8Encoder | None = None  # encodes in place of `encoder`, of which nothing is trained then

    def learned(self, settings: FinetuneSettings) -> dict[str, np.ndarray]:
        """Return the weights that training changes, see `Encoder.export_learned`."""
        return self.encoder.export_learned(settings.trainable_layers)


def item_texts(encoders: ItemEncoders, settings: FinetuneSettings, corpus: Corpus) -> ItemTexts | None:
    """Load the first encoder of texts, within the scope of a strategy; None without one.

    Raises:
        ConfigError: more layers are to be trained than there are.
    """
    name = encoders.text
    if name is None:
        if settings.trainable_layers:
            raise ConfigError("finetune.trainable_layers: no encoder of texts is there to learn; set it to 0")
        return None
    encoder, directory = encoders.load_text(name, settings.encoder_dropout), encoders.directory(name)
    below = encoder.depth - settings.trainable_layers
    if below < 0:
        raise ConfigError(
            f"finetune.trainable_layers is {settings.trainable_layers}, but the encoder has {encoder.depth} layers"
        )
    by = encoders.frozen(encoder)
    caches = Caches(
        vector_cache(by, directory, encoders.workspace),
        hidden_cache(encoder, directory, encoders.workspace, below),
    )
    frozen = by if isinstance(by, Int8Encoder) else None
    return ItemTexts(name, encoder, encoders.text_inputs(name, encoder, corpus), caches, frozen)


def text_user(encoders: ItemEncoders, texts: ItemTexts | None, settings: FinetuneSettings) -> TextUser | None:
    """Return how a history becomes a text; None if users are not represented by texts.

    Raises:
        ConfigError: they are, but there are other encoders or a prompt.
    """
    if not USER_TOWERS[settings.user_tower].reads_text:
        return None
    if texts is None or len(encoders.entries) > 1:
        raise ConfigError(
            "finetune.user_tower: text reads one encoder of texts alone, and encoders has others; set it to items"
        )
    encoder, entry = texts.encoder, encoders.entries[texts.modality]
    if isinstance(entry, TextEncoderSettings) and entry.prompt:
        raise ConfigError("finetune.user_tower: text reads histories without a prompt; set it to items")
    tokens = min(settings.user_tokens, encoder.max_length)
    return TextUser(tokens, encoders.fields_of(texts.modality), encoder.pooling, encoder.precision)
