"""`export`: write the trained model for another runtime, and check it there."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from interestrec import __version__
from interestrec.core.choices import pick
from interestrec.core.errors import ConfigError, GateError, InputMissingError, NumericError, UsageError
from interestrec.core.progress import log
from interestrec.corpus.item_attributes import fit_attributes
from interestrec.corpus.store import Corpus
from interestrec.exporting.export_source import DEPTH, EXAMPLES, ExportSource
from interestrec.exporting.exported_tables import moment_text, request_values, write_tables
from interestrec.exporting.model_card import data_figures, differences_of_lists, model_card
from interestrec.exporting.quantisation_loss import MAX_LOSS, list_ndcg, quantisation_loss
from interestrec.exporting.runtime_checks import (
    PAIRS,
    TextSample,
    list_agreement,
    score_agreement,
)
from interestrec.exporting.runtime_formats import RUNTIME_FORMATS, RuntimeFormat
from interestrec.exporting.shipped.requested_lists import requested_lists
from interestrec.io import artifact_files, files
from interestrec.io.output_directory import output_directory
from interestrec.scorers import queries
from interestrec.scorers.model_opening import member_paths, open_models
from interestrec.scorers.scorer_inputs import ScorerInputs
from interestrec.scoring.decision_files import AFTER, read_context
from interestrec.stages.run import RunContext, item_encoders
from interestrec.workspace.artifacts import Artifact

if TYPE_CHECKING:
    import pyarrow as pa

    from interestrec.exporting.exported_graph import ExportedGraph
    from interestrec.exporting.exported_texts import ExportedTexts

SIGNATURE, CARD, REQUESTS = "signature.json", "MODEL_CARD.md", "examples.json"
_TEXTS = 64  # that are compared at most
_LOSS_USERS = 2000  # whose lists tell what 8-bit weights cost, at most
_MIN_COSINE = 0.999  # of the vectors of these texts to those of the model artifact
_FORMAT = 1  # of signature.json


def run(context: RunContext, to: Path, runtime: str, int8: bool) -> dict[str, Any]:
    """Write the export and return a summary; the directory appears complete, checked in its runtime, or not at all.

    Args:
        to: directory to create.
        runtime: a key of RUNTIME_FORMATS.
        int8: whether to store weights as 8-bit integers.

    Raises:
        ConfigError: the runtime does not exist or lacks an operation; the model cannot be exported.
        UsageError: a package is missing, or the runtime has no 8-bit weights here.
        NumericError: results in the runtime differ from those of the model.
        GateError: 8-bit weights cost more than MAX_LOSS of ndcg@10.
        CannotCreateError: the directory exists; with `context.force` only one that an export wrote is replaced.
        InputMissingError, ArtifactError: the model or one of its inputs is missing or damaged.
    """
    form = pick(RUNTIME_FORMATS, runtime, "runtime")
    if int8 and form.quantise is None:
        able = ", ".join(name for name, other in RUNTIME_FORMATS.items() if other.quantise is not None)
        raise UsageError(f"--int8 is not offered for --to {runtime}; it is for: {able}")
    form.require_packages(runtime)
    if context.settings.runtime.encryption_key is not None:
        raise ConfigError("runtime.encryption_key is set, and other runtimes cannot read encrypted files; remove it")
    model, decision = context.open("model"), _decision(context)
    source = _open(context, model, decision)
    with output_directory(to.absolute(), SIGNATURE, "export", "--out", context.force) as partial:
        return {"directory": str(to), **_write(context, model, decision, source, form, runtime, int8, partial)}


def _open(context: RunContext, model: Artifact, decision: Artifact | None) -> ExportSource:
    """Open the model, which counts events as the decision does.

    Raises:
        ConfigError: it ranks by what an export does not have.
    """
    settings, corpus_artifact = context.settings, context.open("corpus")
    model.require_input(corpus_artifact)
    corpus = Corpus(corpus_artifact.path, settings.data.relevant_at)
    encoder = context.open("encoder")
    config = files.read_json(model.path / "config.json")
    if config.get("user_text") is not None:
        raise ConfigError(
            "the model represents users by texts (finetune.user_tower: text), which an export cannot; train with "
            "user_tower: items or sequence"
        )
    if config.get("rank_by"):
        raise ConfigError("the model ranks by its tasks (finetune.rank_by), which an export cannot; train without it")
    known_before = None if decision is None else read_context(decision.path).known_before
    # With a split per user, events of test count for a decision for a time, and not otherwise.
    counted = corpus if known_before is None else queries.as_known_before(corpus, known_before)
    inputs = ScorerInputs(model.path, encoder.path, counted, settings.workspace, (), settings.seed)
    return ExportSource(corpus, open_models(model.path, inputs), settings.seed)


def _write(
    context: RunContext,
    model: Artifact,
    decision: Artifact | None,
    source: ExportSource,
    form: RuntimeFormat,
    runtime: str,
    int8: bool,
    directory: Path,
) -> dict[str, Any]:
    """Write all files and check them; return the summary."""
    from interestrec.exporting.exported_graph import ExportedGraph
    from interestrec.exporting.exported_texts import no_texts_because, open_texts
    from interestrec.exporting.graph_signature import described
    from interestrec.model.two_tower_files import load_two_tower
    from interestrec.training import device

    settings, members = context.settings, member_paths(model.path)
    device.prepare(settings.runtime.device, settings.runtime.threads, settings.seed)
    encoders = item_encoders(settings, context.open("encoder").path)
    reason = no_texts_because(encoders, source.config)
    texts = open_texts(encoders, members, source.corpus) if reason is None else None
    models = [load_two_tower(member) for member in members]
    graph = ExportedGraph(models, texts.encoders if texts else (), source.catalogue)
    log.info("export: writing %s for %s", ", ".join(graph.functions), runtime)
    form.write(graph, directory)
    form.write_scripts(directory, embeds=texts is not None)
    ids = source.exported_ids
    write_tables(directory, source.catalogue, ids, source.user_ids, source.models[0].histories, source.corpus.moment)
    components = None if decision is None else list(read_context(decision.path).settings["components"])
    is_updated = decision is not None and AFTER in decision.manifest["config"]
    signature = {
        "format": _FORMAT,
        "release": __version__,
        "runtime": runtime,
        "int8": int8,
        "model": model.digest,
        "moment": moment_text(source.corpus.moment),
        "max_history": source.config.max_history,
        "models": len(members),
        "items": len(ids),
        "users": len(source.user_ids),
        "graphs": described(graph),
        "texts": texts.write_tokenizer(directory) if texts else None,
        "without_texts": reason,
        "calibrations": [member.calibration.values() for member in source.models],
        "components": components,
        "not_reproduced": differences_of_lists(settings.rank, source.config, components, is_updated),
    }
    files.write_json(directory / SIGNATURE, signature)  # the shipped scripts, which the checks use, read it
    sample = _text_sample(context, model, source, graph, texts, directory) if texts else None
    checked = _checked(source, form, runtime, directory, sample)
    if int8:
        checked["int8"] = _quantise(source, form, directory, sample)
    signature["checked"] = checked
    signature["files"] = _digests(directory)
    files.write_json(directory / SIGNATURE, signature)
    data = data_figures(source.corpus, settings.data.format, settings.preprocess.split.method)
    files.write_text(directory / CARD, model_card(signature, data, _metrics(context)))
    return {"runtime": runtime, "graphs": sorted(graph.functions), "items": len(ids), "checked": checked}


def _checked(
    source: ExportSource,
    form: RuntimeFormat,
    runtime: str,
    directory: Path,
    sample: TextSample | None,
) -> dict[str, Any]:
    """Compare the export in its runtime with the trained model, and write the requests that it was compared by.

    Raises:
        NumericError: they differ.
    """
    log.info("export: checking in %s", runtime)
    graphs = form.open(directory)
    requests = queries.requests_as_of(source.corpus, source.corpus.moment, source.checked_users(PAIRS))
    scores, strength = source.scores(requests), source.strength(requests)
    order, intensity = score_agreement(graphs, source.inputs(requests), source.catalogue._asdict(), scores, strength)
    examples = request_values(requests.block(0, EXAMPLES), source.item_ids, source.user_ids)
    answers = requested_lists(directory, graphs.run, examples, DEPTH)
    lists = list_agreement(answers, examples, scores[:EXAMPLES], source.exported_ids)
    found = {"order": order, "strength": intensity, "lists": lists}
    if sample is not None:
        found["texts"] = sample.agreement(graphs)
    for name, agreement in found.items():
        agreement.require(name, runtime)
    files.write_json(directory / REQUESTS, examples)
    return {name: agreement._asdict() for name, agreement in found.items()}


def _text_sample(
    context: RunContext,
    model: Artifact,
    source: ExportSource,
    graph: "ExportedGraph",
    texts: "ExportedTexts",
    directory: Path,
) -> TextSample:
    """Return some items as the shipped script reads them, with what the encoder and the model make of them.

    The vectors of the `model` artifact are a rough reference only: where layers of the encoder were trained, they were
    computed from stored hidden states, which are rounded to float16.

    Raises:
        NumericError: their tokens differ.
    """
    from interestrec.exporting.exported_graph import EMBED
    from interestrec.exporting.shipped.embedded_texts import token_inputs

    count = len(source.item_ids)
    rows = np.unique(np.linspace(0, count - 1, min(_TEXTS, count)).astype(np.int64))
    columns = {name: source.corpus.items[name].take(rows).to_pylist() for name in ("title", "text")}
    own = [dict(zip(columns, parts, strict=True)) for parts in zip(*columns.values(), strict=True)]
    inputs = token_inputs(directory, own)
    ids, mask = texts.tokens.padded(rows, inputs["ids"].shape[1])
    if not (np.array_equal(inputs["ids"] * inputs["mask"], ids * mask) and np.array_equal(inputs["mask"], mask)):
        raise NumericError("export: embed.py reads a text by other tokens than the model; nothing was written")
    fitted = model.path / artifact_files.ATTRIBUTES
    known = files.read_json(fitted) if fitted.is_file() else {}
    attributes = fit_attributes(source.corpus, context.settings.items.attributes, known)
    inputs["attributes"] = attributes.packed[rows]
    names = [spec.name for spec in graph.functions[EMBED].input_signature]
    found = graph.functions[EMBED](*(inputs[name] for name in names))
    stored = source.catalogue.texts[:, source.place[rows]]
    if not float((found["texts"].numpy() * stored).sum(axis=-1).min()) > _MIN_COSINE:
        raise NumericError("export: texts get other vectors than in the model artifact; finetune again")
    return TextSample(inputs, {name: values.numpy() for name, values in found.items()})


def _quantise(source: ExportSource, form: RuntimeFormat, directory: Path, sample: TextSample | None) -> dict[str, Any]:
    """Replace the weights by 8-bit integers and return what that costs the lists of test users, and texts.

    Raises:
        GateError: it costs too much.
    """
    assert form.quantise is not None
    corpus = source.corpus
    users = np.unique(corpus.impressions.user[corpus.impressions.split == queries.TEST])
    asked = np.zeros(corpus.users.num_rows, bool)
    asked[np.random.default_rng(source.seed).permutation(users)[:_LOSS_USERS]] = True
    requests = queries.catalogue_requests(corpus, queries.TEST, asked)
    truth = queries.request_truth(corpus, requests, queries.TEST)
    wanted = corpus.relevant(truth.label) & ~truth.seen
    values = []
    for step in (lambda _: None, form.quantise):
        step(directory)
        lists = source.test_lists(form.open(directory), requests)
        values.append(list_ndcg(lists, truth.request[wanted], truth.item[wanted]))
    loss = quantisation_loss(values[0], values[1], source.seed)
    if not loss.loss <= MAX_LOSS:
        raise GateError(
            (
                f"--int8: ndcg@{DEPTH} falls by {loss.loss:.2%} (95 % interval {loss.low:.2%} to {loss.high:.2%}) over "
                f"{loss.users:,} test users, more than {MAX_LOSS:.1%}; nothing was written. Export without --int8",
            ),
            {},
        )
    figures: dict[str, Any] = loss._asdict()
    return figures if sample is None else {**figures, "cosine": sample.smallest_cosine(form.open(directory))}


def _decision(context: RunContext) -> Artifact | None:
    """Return the workspace's decision; None if there is none."""
    try:
        return context.open("decision")
    except InputMissingError:
        return None


def _metrics(context: RunContext) -> "pa.Table | None":
    try:
        return files.read_parquet(context.open("report").path / artifact_files.METRICS)
    except InputMissingError:
        return None


def _digests(directory: Path) -> dict[str, str]:
    paths = sorted(path for path in directory.rglob("*") if path.is_file() and path.name != SIGNATURE)
    return {str(path.relative_to(directory)): files.sha256_of(path) for path in paths}
