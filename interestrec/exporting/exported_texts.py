"""How an export reads the text of an item: the encoder of every model, the tokenizer, and what stands around a text."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interestrec.corpus.store import Corpus
from interestrec.encoding.encoder_settings import FLOAT32, TextEncoderSettings
from interestrec.encoding.item_encoders import ItemEncoders
from interestrec.model.encoder import Encoder, EncoderInputs
from interestrec.model.two_tower_config import TwoTowerConfig
from interestrec.model.two_tower_files import read_learned
from interestrec.text.tokenizer import load_tokenizer

TOKENIZER = "tokenizer"  # directory


@dataclass(frozen=True)
class ExportedTexts:
    """The encoder of texts as each model has it, with the tokens of the items of a corpus."""

    encoders: Sequence[Encoder]
    tokens: EncoderInputs
    name: str  # of the entry of `encoders`
    of: ItemEncoders

    def write_tokenizer(self, directory: Path) -> dict[str, Any]:
        """Write the tokenizer, and return how a text becomes tokens as JSON values."""
        tokenizer = load_tokenizer(self.of.directory(self.name))
        (directory / TOKENIZER).mkdir()
        tokenizer.backend.save(str(directory / TOKENIZER / "tokenizer.json"))
        entry, encoder = self.of.entries[self.name], self.encoders[0]
        assert isinstance(entry, TextEncoderSettings)
        frame = encoder.frame(tokenizer, entry.prompt)
        return {
            "fields": self.of.fields_of(self.name),
            "before": frame.before,
            "after": frame.after,
            "ignored": [] if frame.ignored_id is None else [frame.ignored_id],
            "pad": frame.pad_id,
            "longest": encoder.max_length,
        }


def no_texts_because(encoders: ItemEncoders, config: TwoTowerConfig) -> str | None:
    """Return why an export cannot turn texts into items; None if it can."""
    if encoders.text is None:
        return "no encoder of the configuration reads texts"
    if config.modalities:
        return f"items are read by several encoders ({', '.join(name for name, _ in config.modalities)})"
    if encoders.precision != "float32":
        return f"the encoder computes in {encoders.precision} (runtime.precision)"
    if encoders.arithmetic != FLOAT32:
        return f"texts were encoded in {encoders.arithmetic} (runtime.encoder)"
    return None


def open_texts(encoders: ItemEncoders, members: Sequence[Path], corpus: Corpus) -> ExportedTexts:
    """Load the encoder of texts once per model that trained it, and once for all that did not."""
    name = encoders.text
    assert name is not None
    base = encoders.load_text(name, rate=0.0)
    found = []
    for member in members:
        learned = read_learned(member)
        encoder = encoders.load_text(name, rate=0.0) if learned else base
        if learned:
            encoder.assign_learned(learned)
        found.append(encoder)
    return ExportedTexts(found, encoders.text_inputs(name, base, corpus), name, encoders)
