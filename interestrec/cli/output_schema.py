"""JSON Schema of the output of commands with `--json`; `docs/output.schema.json` contains it as a file."""

from typing import Any

_TEXT: dict[str, Any] = {"type": "string"}
_TEXTS = {"type": "array", "items": _TEXT}
_FLAG: dict[str, Any] = {"type": "boolean"}
_COUNT: dict[str, Any] = {"type": "integer", "minimum": 0}
_COUNTS: dict[str, Any] = {"type": "object", "additionalProperties": _COUNT}
_FIGURE_OR_NULL: dict[str, Any] = {"type": ["number", "null"]}
_TEXT_OR_NULL: dict[str, Any] = {"type": ["string", "null"]}
_ANY_OBJECT: dict[str, Any] = {"type": "object"}
_RANK: dict[str, Any] = {"type": ["integer", "null"], "minimum": 1}
_DIGEST: dict[str, Any] = {"type": "string", "pattern": "^[0-9a-f]+$"}

STATUSES = {
    0: "done, or already up to date",
    1: "`evaluate` or `run` wrote a report that is not as good as required",
    2: "wrong command line",
    65: "bad data, or an artifact that is damaged or from another corpus",
    66: "an input is missing",
    69: "the configured device is not there, or a cluster has no workers or other versions",
    70: "internal error, or a loss became NaN",
    73: "an output cannot be created",
    74: "I/O error, disk full, failed download, or standard output cannot be written",
    75: "locked by another process, or another worker of a distributed run or the scheduler of a cluster is gone",
    77: "permission denied, or a key is missing, wrong or open to others",
    78: "wrong configuration",
    130: "interrupted (SIGINT)",
    141: "the reader of standard output went away",
    143: "terminated (SIGTERM)",
}


def _object(optional: dict[str, Any] | None = None, **required: Any) -> dict[str, Any]:
    """Return the schema of an object with exactly these keys."""
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": sorted(required),
        "additionalProperties": False,
    }


_TOLD = {"type": "array", "items": _object(about=_TEXT, told=_TEXT)}
_STAGE: dict[str, Any] = {
    "stage": _TEXT,
    "artifact": _TEXT,  # path of its directory
    "digest": _DIGEST,
    "built": _FLAG,  # false: the artifact was up to date
    "summary": _ANY_OBJECT,  # main figures of the artifact by name
}
_GATE = {"gate": _object(in_order=_TEXTS, failed=_TEXTS)}
_VERSION = _object(path=_TEXT, bytes=_COUNT, ended=_TEXT_OR_NULL, seconds=_FIGURE_OR_NULL)
_PLAN = _object(
    stage=_TEXT,
    kind=_TEXT,
    builds=_FLAG,
    reasons=_TEXTS,
    version={"anyOf": [_VERSION, {"type": "null"}]},
)
_STATE = _object(
    stage=_TEXT,
    state={"enum": ["fresh", "stale", "missing", "broken", "running"]},
    about=_TEXTS,
    built=_TEXT_OR_NULL,
    seconds=_FIGURE_OR_NULL,
    bytes=_COUNT,
    version=_TEXT_OR_NULL,
    running={"type": "array", "items": _ANY_OBJECT},
    unfinished={"type": ["integer", "null"]},
)
_FINDINGS = {"type": "array", "items": _object(about=_TEXT, told=_TEXT, level={"enum": ["ok", "warns", "fails"]})}
_LOOKED_UP = {kind: {"type": "object", "required": [f"{kind}_id"]} for kind in ("user", "item", "impression")}
_DESCRIBED = {
    **dict.fromkeys(("items", "users", "items_with_only_unknown_tokens"), _COUNT),
    **dict.fromkeys(("events", "impressions", "candidates", "events_per_user", "events_per_item"), _ANY_OBJECT),
    **dict.fromkeys(("intensity", "time", "cold", "items_without", "unknown_tokens", "user_attributes"), _ANY_OBJECT),
    **{name: {} for name in ("event_types", "one_class_impressions", "drops", "value_maps")},
    "artifact": _TEXT,
    "sparsity": _FIGURE_OR_NULL,
}
_NAMED = {"item_id": _TEXT, "title": _TEXT}
_EXPLANATION = _object(
    **_NAMED,
    user_id=_TEXT,
    k=_COUNT,
    score={"type": "number"},
    rank=_RANK,
    listed=_FLAG,
    terms={"type": "object", "additionalProperties": {"type": "number"}},
    events={
        "type": "array",
        "items": _object(**_NAMED, event=_COUNT, told=_TEXT, score_drop={"type": "number"}, rank_without=_RANK),
    },
    smallest_removal={
        "anyOf": [
            {"type": "null"},
            _object(events={"type": ["array", "null"], "items": _COUNT}, proved=_FLAG, kept_without_history=_FLAG),
        ]
    },
    liked={"type": "array", "items": _object(**_NAMED, event=_COUNT, by=_TEXT, similarity={"type": "number"})},
    words={
        "anyOf": [
            {"type": "null"},
            _object(
                words={"type": "array", "items": _object(word=_TEXT, effect={"type": "number"})},
                logit={"type": "number"},
                baseline_logit={"type": "number"},
                completeness_error={"type": "number"},
                complete=_FLAG,
            ),
        ]
    },
)

_AGREEMENT = _object(values=_COUNT, difference={"type": "number"})

# Keys of a success besides `command` and `status`: one of these shapes.
_STAGE_SHAPES = [_object(_GATE, **_STAGE), _object(plans={"type": "array", "items": _PLAN})]
SHAPES: dict[str, list[dict[str, Any]]] = {
    **dict.fromkeys(("preprocess", "pretrain-adapt", "finetune", "rank", "evaluate"), _STAGE_SHAPES),
    "run": [_object(stages={"type": "array", "items": _object(_GATE, **_STAGE)}), _STAGE_SHAPES[1]],
    "encode": [_object(file=_TEXT, items=_COUNT, width=_COUNT, source=_TEXT, digest=_DIGEST)],
    "convert": [
        _object(
            directory=_TEXT,
            layout=_TEXT,
            files=_TEXTS,
            counts=_COUNTS,
            lost=_TEXTS,
        )
    ],
    "export": [
        _object(
            directory=_TEXT,
            runtime=_TEXT,
            graphs=_TEXTS,
            items=_COUNT,
            checked=_object(
                {"texts": _AGREEMENT, "int8": _ANY_OBJECT}, order=_AGREEMENT, strength=_AGREEMENT, lists=_AGREEMENT
            ),
        )
    ],
    "status": [_object(workspace=_TEXT, stages={"type": "array", "items": _STATE})],
    "prune": [
        _object(
            removed={"type": "array", "items": _object(path=_TEXT, bytes=_COUNT, reason=_TEXT)},
            bytes=_COUNT,
            dry_run=_FLAG,
        )
    ],
    "forget": [_object(file=_TEXT, added=_COUNT, users=_COUNT)],
    "update": [_object(artifact=_TEXT, digest=_DIGEST, built=_FLAG, summary=_COUNTS)],
    "replay": [_object(**_STAGE)],
    "tune": [_object(**_STAGE)],
    "check": [_object(findings=_FINDINGS)],
    "describe": [_object(**_DESCRIBED)],
    "inspect": [_object(**{kind: shape}) for kind, shape in _LOOKED_UP.items()],
    "explain": [_object(explanation=_EXPLANATION)],
    "init": [_object({"findings": _TOLD, "questions": _TOLD}, file=_TEXT)],
    "fetch": [
        _object(directory=_TEXT, built=_FLAG),
        _object(
            sources={"type": "array", "items": _object(name=_TEXT, kind=_TEXT, licence=_TEXT, megabytes=_COUNT)},
        ),
    ],
    "config show": [_object(settings=_ANY_OBJECT, origins=_ANY_OBJECT, hash=_DIGEST)],
    "config schema": [_object(schema=_ANY_OBJECT)],
}

# Commands that print a line per input line, a format that they are asked for, or nothing, and no JSON document.
FILTERS = ("pseudonym", "recommend", "serve")

# A failed gate also reports the artifacts, and `check` all findings; other failures have only the required keys.
_FAILURE = _object(
    {**_STAGE, **_GATE, "stages": {"type": "array", "items": _object(_GATE, **_STAGE)}, "findings": _FINDINGS},
    command={"enum": ["", "config", *SHAPES, *FILTERS]},  # empty: no subcommand was recognised
    status={"const": "error"},
    error=_TEXT,
    exit_status={"enum": sorted(STATUSES.keys() - {0, 141})},
)


def _success(command: str, shape: dict[str, Any]) -> dict[str, Any]:
    envelope = {"command": {"const": command}, "status": {"const": "ok"}}
    return {
        **shape,
        "properties": {**envelope, **shape["properties"]},
        "required": sorted([*envelope, *shape["required"]]),
    }


OUTPUT_SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "What interestrec prints with --json",
    "oneOf": [*(_success(command, shape) for command, shapes in SHAPES.items() for shape in shapes), _FAILURE],
}
