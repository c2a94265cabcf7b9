"""What stands around the tokens of a text: a prompt, and the special tokens that its encoder was trained with."""

from dataclasses import dataclass

from interestrec.core.errors import ArtifactError
from interestrec.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class TextFrame:
    """Tokens before and after every text, and the token of padding."""

    before: tuple[int, ...]
    after: tuple[int, ...]
    pad_id: int
    ignored_id: int | None = None  # a token that is left out of texts

    @property
    def size(self) -> int:
        """Number of tokens around a text."""
        return len(self.before) + len(self.after)


def sentence_frame(tokenizer: Tokenizer, prompt: str = "") -> TextFrame:
    """Return [CLS] prompt … [SEP], as encoders of the BERT family read a text.

    Raises:
        ArtifactError: the tokenizer has no such token.
    """
    ids = {"cls": tokenizer.cls_id, "sep": tokenizer.sep_id}
    if missing := [name for name, number in ids.items() if number is None]:
        raise ArtifactError(f"the tokenizer has no {', '.join(missing)} token; choose the tokenizer of this encoder")
    first, last = (number for number in ids.values() if number is not None)
    return TextFrame((first, *tokenizer.prompt_ids(prompt)), (last,), tokenizer.pad_id)


def decoder_frame(tokenizer: Tokenizer, prompt: str = "", ends: bool = False) -> TextFrame:
    """Return what the tokenizer itself puts around a text, with the prompt, as decoders read it.

    Args:
        ends: whether a text ends with the token of its end even if the tokenizer does not add it by itself, provided
            that it has one; the vector of the last token then sees the whole text.
    """
    before, after = tokenizer.template()
    if ends and not after and tokenizer.sep_id is not None:
        after = (tokenizer.sep_id,)
    return TextFrame((*before, *tokenizer.prompt_ids(prompt)), after, tokenizer.pad_id)


def bare_frame(tokenizer: Tokenizer, prompt: str = "", skips_unknown: bool = False) -> TextFrame:
    """Return the prompt alone, as tables of token embeddings read a text, which may skip unknown tokens."""
    ignored = tokenizer.unknown_id if skips_unknown else None
    return TextFrame(tokenizer.prompt_ids(prompt), (), tokenizer.pad_id, ignored)
