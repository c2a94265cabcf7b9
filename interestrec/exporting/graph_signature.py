"""The inputs and outputs of the graphs of an export, as its signature.json has them."""

from typing import Any

from interestrec.exporting.exported_graph import ExportedGraph

_MEANINGS = {
    "history": "rows of items, oldest first, of the latest events; any row at padding, which stands at the end",
    "intensity": "intensity of each event in (0, 1], 0 at padding",
    "days": "ln(1 + days) since each event, 0 where unknown",
    "features": "codes of the user, a row of users.npz",
    "moments": "activity of the user and hour of the moment, a row of users.npz",
    "excluded": "rows of items that are left out, -1 for none",
    "k": "length of the lists, at most the number of items",
    "texts": "item vectors of the texts, of each model",
    "entries": "vectors of items as entries of histories, of each model",
    "candidates": "vectors of items as candidates, of each model",
    "categories": "codes of each level of the category, -1 for none",
    "prices": "standardised log price, NaN where unknown",
    "item_moments": "popularity and age of items at the moment",
    "ids": "tokens of texts",
    "mask": "1 at tokens, 0 at padding",
    "attributes": "codes of features of items, 0 where unknown",
    "items": "rows of items, best first; among equal scores the lower row comes first",
    "scores": "logits of order, the mean of the models; the smallest float32 where no further item is permitted",
    "strength": "logits of strength of each model; see calibrations",
    "users": "user vectors of each model",
}


def described(graph: ExportedGraph) -> dict[str, Any]:
    """Return type, shape and meaning of all inputs and outputs by graph; a size of null is free."""
    found = {}
    for name, function in graph.functions.items():
        outputs = function.get_concrete_function().structured_outputs
        found[name] = {
            "inputs": {spec.name: _tensor(spec.name, spec) for spec in function.input_signature},
            "outputs": {output: _tensor(output, spec) for output, spec in sorted(outputs.items())},
        }
    return found


def _tensor(name: str, spec: Any) -> dict[str, Any]:
    return {"type": spec.dtype.name, "shape": list(spec.shape), "meaning": _MEANINGS[name]}
