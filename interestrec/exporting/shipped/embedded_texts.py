"""Vectors of new texts: `python embed.py texts.json vectors.npz`. Needs tokenizers, NumPy and the runtime.

`texts.json` is a list of objects with the fields of an item, such as `{"title": "…", "text": "…"}`. The arrays of
`vectors.npz` may be appended to those of `items.npz`, as inputs of the graph `score`.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer


def token_inputs(directory: Path, texts: list[dict[str, str]]) -> dict[str, np.ndarray]:
    """Return the inputs of the graph `embed_items`, for items without known features."""
    signature = json.loads((directory / "signature.json").read_text(encoding="utf-8"))
    reading: dict[str, Any] = signature["texts"]
    tokenizer = Tokenizer.from_file(str(directory / "tokenizer" / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    found = []
    for text in texts:
        tokens: list[int] = []
        for name, most in reading["fields"]:
            own = tokenizer.encode(text.get(name, ""), add_special_tokens=False).ids
            tokens += [token for token in own if token not in reading["ignored"]][:most]
        free = reading["longest"] - len(reading["before"]) - len(reading["after"])
        found.append([*reading["before"], *tokens[:free], *reading["after"]])
    length = max(max(map(len, found)), 1)
    columns = signature["graphs"]["embed_items"]["inputs"]["attributes"]["shape"][1]
    return {
        "ids": np.array([tokens + [reading["pad"]] * (length - len(tokens)) for tokens in found], np.int32),
        "mask": np.array([[1.0] * len(tokens) + [0.0] * (length - len(tokens)) for tokens in found], np.float32),
        "attributes": np.zeros((len(found), columns), np.int32),
    }


def main() -> None:
    """Write the vectors of texts."""
    from runtime import open_graphs

    here = Path(__file__).parent
    texts = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    np.savez(sys.argv[2], **open_graphs(here).run("embed_items", token_inputs(here, texts)))


if __name__ == "__main__":
    main()
