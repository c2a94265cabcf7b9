"""Broken raw files of every format: whatever is wrong, no message and no count shows a raw id that is secret."""

import logging
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from interestrec.core.errors import InterestrecError
from interestrec.formats.readers import READERS
from interestrec.stages.preprocess import open_log, read, run
from interestrec.stages.run import RunContext
from tests.formats.damage import DAMAGES
from tests.formats.inputs import KINDS, kinds_of, settings_of
from tests.formats.test_corruptions import named

pytestmark = pytest.mark.slow

TOKEN = re.compile(r"RAWUSER-\d")
# Damage after which a message would like to quote, of all that there is.
CASES = [(kind, damage) for kind in KINDS for damage in ("no-column", "doubled", "swapped", "delimiter", "absurd")]


def name_users(path: Path) -> None:
    """Ids that nothing else looks like, in the place of those of the format's example."""
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        for name in {"user"} & set(table.column_names):
            ids = [f"RAWUSER-{str(value).removeprefix('u')}" for value in table[name].to_pylist()]
            table = table.set_column(table.column_names.index(name), name, pa.array(ids))
        pq.write_table(table, path)
    elif path.suffix != ".gz":
        text = re.sub(r'"user": (\d+)', r'"user": "RAWUSER-\1"', path.read_text(encoding="latin-1"))
        text = re.sub(r"\bu(\d)\b", r"RAWUSER-\1", text)
        if path.stem == "ratings":
            text = re.sub(r"(?m)^(\d)(?=,|::)", r"RAWUSER-\1", text)
        path.write_text(text, encoding="latin-1")


def damaged(directory: Path, kind: str, damage: str, rng: np.random.Generator) -> dict[str, Any]:
    """The `data` section of an example with ids that nothing else looks like, one file with such ids broken."""
    raw = directory / "raw"
    raw.mkdir(parents=True)
    data = KINDS[kind](raw, rng)
    for path in raw.iterdir():
        name_users(path)
    paths = sorted(path for path in raw.iterdir() if TOKEN.search(path.read_text(encoding="latin-1")))
    spoilt = paths[int(rng.integers(len(paths)))] if paths else min(raw.iterdir())
    return named(data, spoilt.name, DAMAGES[damage](spoilt, rng).name)


def written_key(directory: Path) -> str:
    key = directory / "key"
    key.write_bytes(b"k" * 32)
    key.chmod(0o600)
    return str(key)


@pytest.mark.parametrize(("name", "damage"), [(name, damage) for name in READERS for damage in DAMAGES])
def test_no_error_of_any_reader_shows_an_id(tmp_path: Path, name: str, damage: str) -> None:
    kinds, number = kinds_of(name), list(DAMAGES).index(damage)
    kind = kinds[number % len(kinds)]
    data = damaged(tmp_path, kind, damage, np.random.default_rng(number))
    for tolerated in (0, 1_000_000):
        section = {**data, "max_bad_rows": tolerated}
        settings = settings_of(tmp_path, section, tmp_path, {"pseudonym_key": written_key(tmp_path)})
        log = open_log(settings)
        try:
            with log.quality.withheld_values():
                read(log, settings)
        except InterestrecError as error:
            assert not TOKEN.search(repr(error) + str(error) + repr(error.__cause__))
        assert not TOKEN.search(str(log.quality.rules))
        log.close()


@pytest.mark.parametrize(("kind", "damage"), CASES[::2])
def test_no_message_tells_an_id(
    tmp_path: Path, tiny_encoder: Path, caplog: pytest.LogCaptureFixture, kind: str, damage: str
) -> None:
    caplog.set_level(logging.INFO)
    data = damaged(tmp_path, kind, damage, np.random.default_rng(CASES.index((kind, damage))))
    key = written_key(tmp_path)
    said = []
    for tolerated in (0, 1_000_000):
        settings = settings_of(tmp_path, {**data, "max_bad_rows": tolerated}, tiny_encoder, {"pseudonym_key": key})
        try:
            corpus = run(RunContext(settings)).artifact.path
            said += [(corpus / name).read_text() for name in ("quality.json", "manifest.json")]
            said.append(str(pq.read_table(corpus / "users.parquet").to_pydict()))
        except InterestrecError as error:
            said.append(str(error))
    assert not TOKEN.search("\n".join([*said, caplog.text]))
