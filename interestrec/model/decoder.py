"""Decoders such as GPT-2 or Llama as encoders of texts, through KerasHub's backbones, layer by layer.

Texts are padded on the right. A token sees only those before it, so that no result depends on the padding.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from interestrec.core.errors import ArtifactError, ConfigError
from interestrec.io.encoder_files import WEIGHTS
from interestrec.model.backend import keras, tf
from interestrec.model.decoder_families import COLUMNS, DecoderFamily
from interestrec.model.encoder import LoraAdapter
from interestrec.model.int8_nodes import NO_INT8_GRAPH
from interestrec.model.next_token_head import NextTokenHead
from interestrec.model.noise import Noise, branch, dropout
from interestrec.model.pooling import POOLINGS, QUERY
from interestrec.text.text_frames import TextFrame, decoder_frame
from interestrec.text.text_inputs import TextInputs, text_inputs
from interestrec.text.tokenizer import Tokenizer, load_tokenizer

if TYPE_CHECKING:
    import pyarrow as pa

    from interestrec.model.masked_lm import MaskedLmHead

_SIGNATURE = (tf.TensorSpec([None, None], tf.int32), tf.TensorSpec([None, None], tf.float32))  # ids, mask
_POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}


class Decoder(keras.layers.Layer):
    """An Encoder of embeddings, layers that look back, and a final norm, which belongs to the upper part."""

    signature = _SIGNATURE

    def __init__(
        self,
        family: DecoderFamily,
        sizes: Mapping[str, Any],
        max_length: int,
        tensors: Mapping[str, np.ndarray],
        rate: float = 0.1,
        pooling: str = "mean",
        precision: str = "float32",
        lm_head: np.ndarray | None = None,
        **kwargs: Any,
    ) -> None:
        """Build the network with its weights.

        Args:
            sizes: the backbone's arguments.
            rate, pooling, precision: as in StoredEncoder.
            lm_head: [vocabulary, width], what predicts the next token; None = the word embeddings.

        Raises:
            ConfigError: KerasHub is not installed.
            ArtifactError: a tensor does not have the shape that the sizes imply.
        """
        super().__init__(autocast=False, **kwargs)
        self.family, self.max_length = family, max_length
        self.rate, self.pooling, self.precision = rate, pooling, precision
        self.backbone = _backbone(family.backbone, {**sizes, "dtype": _POLICIES[precision]})
        self.blocks = self.backbone.transformer_layers
        self.depth, self.width = len(self.blocks), int(sizes["hidden_dim"])
        self.shapes = {name: tensors[name].shape for name in self._weights(range(self.depth), tables=True)}
        self.query = None
        if POOLINGS[pooling].learns_query:
            self.query = self.add_weight(name="query", shape=(self.width,), initializer="zeros")
        self.lm_head = lm_head
        self.built = True
        self._assign(tensors, range(self.depth), tables=True)

    @property
    def words(self) -> tf.Variable:
        """See Encoder."""
        return self.backbone.token_embedding.embeddings

    @property
    def learns_pooling(self) -> bool:
        """See Encoder."""
        return self.query is not None

    def frame(self, tokenizer: Tokenizer, prompt: str = "") -> TextFrame:
        """See Encoder; with the pooling `last`, texts end with the token of their end if there is one."""
        return decoder_frame(tokenizer, prompt, ends=self.pooling == "last")

    def item_inputs(
        self, directory: Path, features: pa.Table, fields: Sequence[tuple[str, int]], prompt: str = ""
    ) -> TextInputs:
        """See Encoder."""
        return text_inputs(features, fields, self.frame(load_tokenizer(directory), prompt), self.max_length)

    def call(self, ids: tf.Tensor, mask: tf.Tensor, noise: Noise = None) -> tf.Tensor:
        """See Encoder."""
        return self.upper(self.lower(ids, mask, self.depth, noise), mask, self.depth)

    def lower(self, ids: tf.Tensor, mask: tf.Tensor, layers: int, noise: Noise = None) -> tf.Tensor:
        """See Encoder; the final norm is not applied."""
        return self._lower(tf.gather(self.words, ids), layers, noise)

    def of_words(self, words: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        """See Encoder."""
        return self.upper(self._lower(words, self.depth, None), mask, self.depth)

    def _lower(self, words: tf.Tensor, layers: int, noise: Noise) -> tf.Tensor:
        x = tf.convert_to_tensor(words)
        if self.family.scales_words:
            x *= self.width**0.5
        if self.family.positions:
            length = tf.shape(x)[1]
            known = self.backbone.position_embedding.position_embeddings[:length]
            x += tf.pad(known, [[0, length - tf.shape(known)[0]], [0, 0]])[None]  # only padding reaches beyond
        return self._run(range(layers), dropout(x, self.rate, branch(noise, self.depth)), noise)

    def upper(self, hidden: tf.Tensor, mask: tf.Tensor, layers: int, noise: Noise = None) -> tf.Tensor:
        """See Encoder; the final norm is applied."""
        x = self._run(range(layers, self.depth), hidden, noise)
        return tf.cast(self.backbone.layer_norm(x), tf.float32)

    def _run(self, layers: Iterable[int], x: tf.Tensor, noise: Noise) -> tf.Tensor:
        x = tf.cast(x, self.precision)
        for number in layers:
            after = self.blocks[number](x)
            x = after if noise is None else x + dropout(after - x, self.rate, branch(noise, number))
        return tf.cast(x, tf.float32)

    def pool(self, hidden: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        """See Encoder."""
        return POOLINGS[self.pooling].vectors(hidden, mask, self.query)

    @tf.function(input_signature=_SIGNATURE, autograph=False)
    def pooled(self, ids: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        """See Encoder."""
        return self.pool(self.call(ids, mask), mask)

    def unfreeze(self, layers: int, lora: LoraAdapter | None = None, seed: int = 0) -> list[list[keras.Variable]]:
        """See Encoder; adapters are those of Keras, beside each kernel, and the final norm stays as it is."""
        blocks = list(self.blocks)[self.depth - layers :]
        groups = []
        for number, block in enumerate(blocks):
            groups.append(self._adapt(block, lora, seed + 16 * number) if lora else list(block.trainable_variables))
        return groups if self.query is None else [*groups, [self.query]]

    def _adapt(self, block: Any, lora: LoraAdapter, seed: int) -> list[keras.Variable]:
        """Create adapters without initial effect (B = 0) and return their weights."""
        weights = []
        for number, path in enumerate(path for name in lora.targets for path in self.family.adapted[name]):
            dense = _part(block, path)
            normal = keras.initializers.RandomNormal(stddev=self.width**-0.5, seed=seed + number)
            dense.enable_lora(lora.rank, lora_alpha=lora.alpha, a_initializer=normal)
            weights += [dense.lora_kernel_a, dense.lora_kernel_b]
        return weights

    def export_weights(self) -> dict[str, np.ndarray]:
        """See Encoder."""
        return self._export(range(self.depth), tables=True)

    def export_learned(self, layers: int) -> dict[str, np.ndarray]:
        """See Encoder; tensors have Hugging Face names."""
        query = {} if self.query is None else {QUERY: self.query.numpy()}
        return {**self._export(range(self.depth - layers, self.depth)), **query}

    def assign_learned(self, tensors: Mapping[str, np.ndarray]) -> int:
        """See Encoder."""
        given = {name: value for name, value in tensors.items() if name != QUERY}
        starts = [f"{self.family.layer.format(number)}." for number in range(self.depth)]
        layers = sum(any(name.startswith(start) for name in given) for start in starts)
        top = range(self.depth - layers, self.depth)
        expected = {name: self.shapes[name] for name in self._weights(top)}
        if {name: value.shape for name, value in given.items()} != expected:
            raise ArtifactError(f"{WEIGHTS}: the layers stored with the model do not fit this encoder; finetune again")
        self._assign(given, top)
        if self.query is not None and QUERY in tensors:
            self.query.assign(tensors[QUERY])
        return layers

    def int8_graph(self) -> NoReturn:
        """See Encoder."""
        raise ConfigError(NO_INT8_GRAPH)

    def next_token_head(self) -> NextTokenHead:
        """See Encoder."""
        return NextTokenHead(self.lm_head)

    def masked_lm_head(self) -> MaskedLmHead:
        """See Encoder."""
        raise ConfigError(
            "pretrain_adapt.objective masked needs an encoder that looks in both directions; choose another objective"
        )

    def _weights(self, layers: Iterable[int], tables: bool = False) -> dict[str, tuple[Any, list[tuple[Any, str]]]]:
        """Return the layout, and the owners and names of the kernels, of tensors by their names."""
        family, found = self.family, {}
        if tables:
            found[family.words] = (COLUMNS, [(self.backbone.token_embedding, "embeddings")])
            if family.positions:
                found[family.positions] = (COLUMNS, [(self.backbone.position_embedding, "position_embeddings")])
            parts = ("scale",) if len(family.norm) == 1 else ("gamma", "beta")
            found |= {
                name: (COLUMNS, [(self.backbone.layer_norm, part)])
                for name, part in zip(family.norm, parts, strict=True)
            }
        for number in layers:
            for tensor in family.tensors:
                owners = [(path.rpartition(".")[0], path.rpartition(".")[2]) for path in tensor.kernels]
                places = [(_part(self.blocks[number], owner), name) for owner, name in owners]
                found[f"{family.layer.format(number)}.{tensor.name}"] = (tensor.layout, places)
        return found

    def _assign(self, tensors: Mapping[str, np.ndarray], layers: Iterable[int], tables: bool = False) -> None:
        for name, (layout, places) in self._weights(layers, tables).items():
            variables = [_variable(owner, attribute) for owner, attribute in places]
            try:
                parts = layout.split(tensors[name].astype(np.float32), [tuple(v.shape) for v in variables])
            except ValueError as error:
                raise ArtifactError(
                    f"{WEIGHTS}: tensor '{name}' of shape {tensors[name].shape} does not fit config.json; fetch the "
                    "encoder again"
                ) from error
            for variable, part in zip(variables, parts, strict=True):
                variable.assign(part)

    def _export(self, layers: Iterable[int], tables: bool = False) -> dict[str, np.ndarray]:
        return {
            name: layout.join(
                [np.asarray(keras.ops.convert_to_numpy(getattr(owner, attribute))) for owner, attribute in places],
                self.shapes[name],
            )
            for name, (layout, places) in self._weights(layers, tables).items()
        }


def _part(block: Any, path: str) -> Any:
    return reduce(getattr, path.split("."), block)


def _variable(owner: Any, attribute: str) -> keras.Variable:
    """Return a weight itself; the attribute `kernel` of a layer with an adapter is a sum."""
    return getattr(owner, f"_{attribute}" if attribute == "kernel" else attribute)


def _backbone(name: str, sizes: Mapping[str, Any]) -> Any:
    """Build a backbone of KerasHub with random weights.

    Raises:
        ConfigError: KerasHub is not installed.
    """
    try:
        from keras_hub import models
    except ImportError as error:
        raise ConfigError(
            "encoders: decoders need KerasHub; install it with `pip install 'interestrec[decoders]'`"
        ) from error
    return getattr(models, name)(**sizes)
