"""Artifacts and encoders that somebody else made, to run code, fill the memory, or read what is not theirs."""

import json
import os
import shutil
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load_file, save_file

from interestrec.io import files
from tests.generated import write_mind
from tests.hostile.client import Canary, Commands, expect, serving

pytestmark = pytest.mark.slow

CONFIG = """
version: 1
seed: 5
workspace: {directory}/work
data:
  {{format: mind, root: {directory}/raw, news: [news.tsv], train: [train.tsv], valid: [valid.tsv], test: [test.tsv]}}
preprocess: {{split: {{method: given}}}}
encoders: {{text: {{source: {encoder}}}}}
pretrain_adapt: {{steps: 0}}
finetune: {{epochs: 1, history_epochs: 0, batch_size: 64, hidden: [8], trainable_layers: 0}}
rank: {{systems: [interestrec, popularity], components: [intensity, item_item], trials: 1, top_k: 5}}
runtime: {{threads: 2}}
"""


@pytest.fixture(scope="module")
def commands() -> Iterator[Commands]:
    with serving() as served:
        yield served


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path, commands: Commands) -> Path:
    """A directory with a good workspace, up to a model."""
    directory = tmp_path_factory.mktemp("made")
    write_mind(directory / "raw")
    (directory / "c.yaml").write_text(CONFIG.format(directory=directory, encoder=tiny_encoder))
    for stage in ("preprocess", "pretrain-adapt", "finetune"):
        commands.good(stage, "--config", directory / "c.yaml", "--quiet")
    return directory


def copied(made: Path, kind: str, to: Path) -> Path:
    shutil.copytree((made / "work" / kind).resolve(), to / kind)
    return to / kind


def change(path: Path, edit: Callable[[Any], Any]) -> None:
    """Rewrite a JSON file by what `edit` makes of its content, or does to it."""
    content = json.loads(path.read_text())
    path.write_text(json.dumps(edit(content) or content))


def sealed(directory: Path) -> None:
    """Make the manifest true of the files again, as one who builds a hostile artifact would."""
    names = [p for p in directory.rglob("*") if p.is_file() and p.name not in ("manifest.json", "timing.jsonl")]
    listed = {str(p.relative_to(directory)): {"sha256": files.sha256_of(p), "bytes": p.stat().st_size} for p in names}
    change(directory / "manifest.json", lambda manifest: {**manifest, "files": listed})


def manifest(edit: Callable[[Any], Any]) -> Callable[[Path, Path], None]:
    return lambda corpus, outside: change(corpus / "manifest.json", edit)


def entry(name: str) -> Callable[[Path, Path], None]:
    """A listed file of another name, true to the canary."""

    def spoil(corpus: Path, outside: Path) -> None:
        path = outside / "canary.txt"
        true = {"sha256": files.sha256_of(path), "bytes": path.stat().st_size}
        named = name.format(outside=outside)
        change(corpus / "manifest.json", lambda m: m["files"].update({named: true}))

    return spoil


def raw_manifest(text: str) -> Callable[[Path, Path], None]:
    return lambda corpus, outside: (corpus / "manifest.json").write_text(text) and None


def linked(name: str) -> Callable[[Path, Path], None]:
    def spoil(corpus: Path, outside: Path) -> None:
        shutil.copy(corpus / name, outside / "same")
        (corpus / name).unlink()
        (corpus / name).symlink_to(outside / "same")

    return spoil


def extra(corpus: Path, outside: Path) -> None:
    (corpus / "extra.py").write_text("raise SystemExit('ran')")


def pipe(corpus: Path, outside: Path) -> None:
    (corpus / "quality.json").unlink()
    os.mkfifo(corpus / "quality.json")


def replaced(name: str, write: Callable[[Path], Any]) -> Callable[[Path, Path], None]:
    """A file of other content that the manifest is true of."""

    def spoil(corpus: Path, outside: Path) -> None:
        write(corpus / name)
        sealed(corpus)

    return spoil


def null_rows(path: Path) -> None:
    """10 GB of nothing in a table of the right columns' names."""
    schema = pq.read_schema(path)
    block = pa.table([pa.nulls(1 << 24, pa.int64()) for _ in schema], names=schema.names)
    with pq.ParquetWriter(path, block.schema, compression="zstd", write_statistics=False) as writer:
        for _ in range(1 + (10 << 30) // (8 * (1 << 24) * len(schema))):
            writer.write_table(block, row_group_size=1 << 24)


def large_json(path: Path) -> None:
    """A list of empty lists, each three bytes in the file and some fifty in memory."""
    path.write_text("[" + "[]," * (30 << 20) + "[]]")


def deep_json(path: Path) -> None:
    path.write_text("[" * 200_000 + "]" * 200_000)


def other_columns(path: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), path)


CORPORA: dict[str, Callable[[Path, Path], None]] = {
    "a false size": manifest(lambda m: m["files"]["items.parquet"].update(bytes=1)),
    "a negative size": manifest(lambda m: m["files"]["items.parquet"].update(bytes=-1)),
    "a false digest": manifest(lambda m: m["files"]["items.parquet"].update(sha256="0" * 64)),
    "a path out of it": entry("../outside/canary.txt"),
    "an absolute path": entry("{outside}/canary.txt"),
    "a zero byte in a name": entry("a\0b"),
    "a missing file": lambda corpus, outside: (corpus / "items.parquet").unlink(),
    "an extra file": extra,
    "a file that is a link": linked("items.parquet"),
    "a manifest that is a link": linked("manifest.json"),
    "a pipe": pipe,
    "another kind": manifest(lambda m: m.update(kind="model")),
    "a kind that is a list": manifest(lambda m: m.update(kind=["corpus"])),
    "a schema version of many digits": raw_manifest('{"kind": "corpus", "schema_version": ' + "9" * 100_000 + "}"),
    "a schema version of another type": manifest(lambda m: m.update(schema_version={"a": 1})),
    "files that are a list": manifest(lambda m: m.update(files=["items.parquet"])),
    "no files": manifest(lambda m: m.pop("files") and None),
    "a manifest of deep lists": raw_manifest("[" * 200_000),
    "a manifest of 100 MB": raw_manifest('{"a": "' + "b" * 100_000_000 + '"}'),
    "a manifest that is no UTF-8": lambda corpus, outside: (corpus / "manifest.json").write_bytes(b"\xff\xfe") and None,
    "JSON of deep lists": replaced("quality.json", deep_json),
    "JSON of ninety megabytes": replaced("quality.json", large_json),
    "10 GB of nothing": replaced("timelines.parquet", null_rows),
    "other columns": replaced("timelines.parquet", other_columns),
    "a table that is none": replaced("items.parquet", lambda path: path.write_bytes(b"PAR1\0\0\0\0PAR1")),
}


@pytest.mark.parametrize("name", CORPORA)
def test_corpus(name: str, made: Path, tmp_path: Path, commands: Commands) -> None:
    canary = Canary(tmp_path)
    corpus = copied(made, "corpus", tmp_path)
    CORPORA[name](corpus, canary.directory)
    canary.before = canary.seen()
    ended = commands.run("describe", "--corpus", corpus)
    expect(ended, {65})
    canary.check(ended, tmp_path / "work")


def header(content: bytes, length: int | None = None, body: bytes = b"") -> bytes:
    return struct.pack("<Q", len(content) if length is None else length) + content + body


def tensor(**changes: Any) -> dict[str, Any]:
    return {"dtype": "F32", "shape": [4], "data_offsets": [0, 16], **changes}


def weights(content: bytes) -> Callable[[Path], None]:
    return lambda encoder: (encoder / "model.safetensors").write_bytes(content) and None


def one(**changes: Any) -> Callable[[Path], None]:
    return weights(header(json.dumps({"a": tensor(**changes)}).encode(), body=b"\0" * 16))


def tensors(edit: Callable[[dict[str, np.ndarray]], Any]) -> Callable[[Path], None]:
    def spoil(encoder: Path) -> None:
        content = load_file(encoder / "model.safetensors")
        edit(content)
        save_file(content, encoder / "model.safetensors")

    return spoil


def sparse(name: str) -> Callable[[Path], None]:
    """A tensor of 1 GiB that is really there, in a file with a hole."""

    def spoil(encoder: Path) -> None:
        cells = 1 << 28
        content = json.dumps({name: tensor(shape=[cells], data_offsets=[0, 4 * cells])}).encode()
        (encoder / "model.safetensors").write_bytes(header(content))
        os.truncate(encoder / "model.safetensors", 8 + len(content) + 4 * cells)

    return spoil


WORDS = "embeddings.word_embeddings.weight"


def config(**changes: Any) -> Callable[[Path], None]:
    return lambda encoder: change(encoder / "config.json", lambda content: {**content, **changes})


def link_of(name: str, tail: str = "") -> Callable[[Path], None]:
    def spoil(encoder: Path) -> None:
        (encoder / name).unlink()
        (encoder / name).symlink_to(encoder.parent / "outside" / "canary.txt")

    return spoil


ENCODERS: dict[str, Callable[[Path], None]] = {
    "a header of 2^62 bytes": weights(header(b"{}", length=1 << 62)),
    "a header of 2^64 - 1 bytes": weights(header(b"{}", length=(1 << 64) - 1)),
    "a shape of 10 GB": one(shape=[10 << 28], data_offsets=[0, 10 << 30]),
    "a shape beyond 2^64": one(shape=[1 << 40, 1 << 40]),
    "a negative shape": one(shape=[-4]),
    "a negative offset": one(data_offsets=[-16, 0]),
    "offsets in the wrong order": one(data_offsets=[16, 0]),
    "an unknown type": one(dtype="OBJECT"),
    "overlapping tensors": weights(header(json.dumps({"a": tensor(), "b": tensor()}).encode(), body=b"\0" * 16)),
    "a name twice": weights(header(b'{"a":%b,"a":%b}' % ((json.dumps(tensor()).encode(),) * 2), body=b"\0" * 16)),
    "a deep header": weights(header(b"[" * 100_000)),
    "no weights": weights(b""),
    "a file cut off": lambda encoder: os.truncate(encoder / "model.safetensors", 4000),
    "1 GiB of a tensor in a hole": sparse(WORDS),
    "1 GiB of an unknown tensor in a hole": sparse("unknown"),
    "integers": tensors(lambda t: t.update({WORDS: t[WORDS].astype(np.int32)})),
    "another shape": tensors(lambda t: t.update({WORDS: t[WORDS][:-1]})),
    "a value that is not a number": tensors(lambda t: t[WORDS].__setitem__((3, 3), np.nan)),
    "a pickle": weights(b"\x80\x04cposix\nsystem\n(S'touch owned'\ntR."),
    "a width of 10^9": config(hidden_size=10**9, num_attention_heads=1),
    "10^9 layers": config(num_hidden_layers=10**9),
    "10^6 layers": config(num_hidden_layers=10**6),
    "a vocabulary of 10^12": config(vocab_size=10**12),
    "10^9 positions": config(max_position_embeddings=10**9),
    "a size that is a text": config(hidden_size="16"),
    "an epsilon that is a text": config(layer_norm_eps="__import__('os')"),
    "an unknown kind of model": config(model_type="custom", auto_map={"AutoModel": "owned.Model"}),
    "a configuration that is a list": lambda encoder: (encoder / "config.json").write_text("[1]") and None,
    "a configuration of deep lists": lambda encoder: (encoder / "config.json").write_text("[" * 100_000) and None,
    "weights that are a link": link_of("model.safetensors"),
    "a configuration that is a link": link_of("config.json"),
}


def encoder_in(tmp_path: Path, tiny_encoder: Path) -> Path:
    return Path(shutil.copytree(tiny_encoder, tmp_path / "encoder"))


def adapt(made: Path, encoder: Path, commands: Commands, tmp_path: Path) -> Any:
    corpus = (made / "work" / "corpus").resolve()
    source = f"encoders.text.source={encoder}"
    given = ("--workspace", tmp_path / "work", "--corpus", corpus)
    return commands.run("pretrain-adapt", "--config", made / "c.yaml", "--set", source, *given)


@pytest.mark.parametrize("name", ENCODERS)
def test_encoder(name: str, made: Path, tiny_encoder: Path, tmp_path: Path, commands: Commands) -> None:
    canary = Canary(tmp_path)
    encoder = encoder_in(tmp_path, tiny_encoder)
    ENCODERS[name](encoder)
    ended = adapt(made, encoder, commands, tmp_path)
    expect(ended, {65})
    canary.check(ended, tmp_path / "work")


def test_code_beside_an_encoder_is_never_run(
    made: Path, tiny_encoder: Path, tmp_path: Path, commands: Commands
) -> None:
    canary = Canary(tmp_path)
    encoder = encoder_in(tmp_path, tiny_encoder)
    owned = f"open({str(canary.directory / 'owned')!r}, 'w')"
    for name in ("owned.py", "modeling_bert.py", "__init__.py"):
        (encoder / name).write_text(owned)
    config(auto_map={"AutoModel": "owned.Model", "AutoConfig": "owned.Config"}, trust_remote_code=True)(encoder)
    ended = adapt(made, encoder, commands, tmp_path)
    expect(ended, {0})
    canary.check(ended, tmp_path / "work")
    assert not list((tmp_path / "work").rglob("*.py"))


def tokenizer(edit: Callable[[Any], Any]) -> Callable[[Path], None]:
    return lambda encoder: change(encoder / "tokenizer.json", edit)


def growing(rules: int, content: str) -> dict[str, Any]:
    rule = {"type": "Replace", "pattern": {"String": "a"}, "content": content}
    return {"type": "Sequence", "normalizers": [rule] * rules}


def only_names(encoder: Path) -> None:
    """A tokenizer that transformers would have to find the code for."""
    (encoder / "tokenizer.json").unlink()
    owned = f"open({str(encoder.parent / 'outside' / 'owned')!r}, 'w')"
    (encoder / "owned.py").write_text(owned)
    mapped = {"AutoTokenizer": ["owned.Tokenizer", "owned.Tokenizer"]}
    change(encoder / "tokenizer_config.json", lambda c: {**c, "tokenizer_class": "Owned", "auto_map": mapped})


def vocabulary_link(encoder: Path) -> None:
    (encoder / "vocab.txt").symlink_to(encoder.parent / "outside" / "canary.txt")


TOKENIZERS: dict[str, Callable[[Path], None]] = {
    "no vocabulary": tokenizer(lambda t: t["model"].pop("vocab") and None),
    "an empty vocabulary": tokenizer(lambda t: t["model"].update(vocab={}) or t.update(added_tokens=[])),
    "an id of 2^32 - 1": tokenizer(lambda t: t["model"]["vocab"].update({"bomb": 2**32 - 1})),
    "an id of 2^64": tokenizer(lambda t: t["model"]["vocab"].update({"bomb": 2**64})),
    "texts 10^10 times as long": tokenizer(lambda t: t.update(normalizer=growing(10, "a" * 10))),
    "texts 10^8 times as long": tokenizer(lambda t: t.update(normalizer=growing(1, "a" * 10**8))),
    "a deep tokenizer": lambda encoder: (encoder / "tokenizer.json").write_text('{"a":' * 10**6) and None,
    "150 MB of a tokenizer": lambda encoder: os.truncate(encoder / "tokenizer.json", 150 << 20),
    "a tokenizer that is a link": link_of("tokenizer.json"),
    "a vocabulary that is a link": vocabulary_link,
    "a tokenizer of code": only_names,
}


@pytest.mark.parametrize("name", TOKENIZERS)
def test_tokenizer(name: str, made: Path, tiny_encoder: Path, tmp_path: Path, commands: Commands) -> None:
    canary = Canary(tmp_path)
    encoder = encoder_in(tmp_path, tiny_encoder)
    TOKENIZERS[name](encoder)
    given = ("--set", f"encoders.text.source={encoder}", "--workspace", tmp_path / "work")
    ended = commands.run("preprocess", "--config", made / "c.yaml", *given)
    expect(ended, {65})
    canary.check(ended, tmp_path / "work")


def model_tensors(name: str, edit: Callable[[dict[str, np.ndarray]], Any]) -> Callable[[Path], None]:
    def spoil(model: Path) -> None:
        content = load_file(model / name)
        edit(content)
        save_file(content, model / name)

    return spoil


def model_config(**changes: Any) -> Callable[[Path], None]:
    return lambda model: change(model / "config.json", lambda content: {**content, **changes})


VECTORS, TRAINED = "item_vectors.safetensors", "weights.safetensors"


def own(tensors: dict[str, np.ndarray]) -> str:
    """Name of a tensor of the head."""
    return next(name for name in tensors if name.endswith("first_user/kernel"))


MODELS: dict[str, Callable[[Path], None]] = {
    "a layer of 10^9": model_config(hidden=[10**9]),
    "two layers that fit alone": model_config(hidden=[2000, 60000]),
    "no layers": model_config(hidden=[]),
    "a negative width": model_config(width=-16),
    "10^9 levels of categories": model_config(levels=10**9),
    "a table of 10^9 codes": model_config(attributes=[["price", [10**9]]]),
    "no width": lambda model: change(model / "config.json", lambda c: c.pop("width") and None),
    "a key of another": model_config(__class__="os.system"),
    "a configuration that is a list": lambda model: (model / "config.json").write_text("[]") and None,
    "a weight that is not finite": model_tensors(TRAINED, lambda t: t[own(t)].fill(np.inf)),
    "a missing weight": model_tensors(TRAINED, lambda t: t.pop(own(t))),
    "vectors that are not finite": model_tensors(VECTORS, lambda t: t["item"].__setitem__((0, 0), np.nan)),
    "vectors of another width": model_tensors(VECTORS, lambda t: t.update(item=t["item"][:, :4].copy())),
    "categories of fewer items": model_tensors(VECTORS, lambda t: t.update(category=t["category"][:3].copy())),
    "no vectors": model_tensors(VECTORS, lambda t: t.pop("item")),
    "a calibration of words": lambda model: change(model / "calibration.json", lambda c: {**c, "scale": "wide"}),
    "a calibration without a scale": lambda model: change(model / "calibration.json", lambda c: {"shift": 0}),
}


@pytest.mark.parametrize("name", MODELS)
def test_model(name: str, made: Path, tmp_path: Path, commands: Commands) -> None:
    model = copied(made, "model", tmp_path)
    MODELS[name](model)
    sealed(model)
    inputs = [part for kind in ("corpus", "encoder") for part in (f"--{kind}", (made / "work" / kind).resolve())]
    given = ("--workspace", tmp_path / "work", "--model", model, *inputs)
    expect(commands.run("rank", "--config", made / "c.yaml", *given), {65})
