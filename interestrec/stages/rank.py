"""`rank`: fit every system, choose settings and blend weights on validation, refit, score."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interestrec.core.errors import DataError
from interestrec.core.progress import track
from interestrec.corpus.categories import category_codes
from interestrec.corpus.identities import user_id_mapper
from interestrec.corpus.store import Corpus
from interestrec.io import artifact_files, files, schemas
from interestrec.io.keys import read_key
from interestrec.io.pseudonyms import pseudonym
from interestrec.io.schemas import BEFORE_RULES, OURS
from interestrec.scorers import content, queries
from interestrec.scorers.ease import Ease
from interestrec.scorers.random import id_hashes
from interestrec.scorers.registry import required_scorers
from interestrec.scorers.request_blocks import blocks
from interestrec.scorers.requests import Requests, ScorerInputs
from interestrec.scorers.untrained import fit_arguments as given_to_fits
from interestrec.scorers.untrained import untrained_scorers
from interestrec.scoring import fitting, ranking_tables
from interestrec.scoring.ensemble import Ensemble, EnsembleConfig, reference_ensemble
from interestrec.scoring.ensemble import fit_ensemble as fit_lineup
from interestrec.scoring.fitting import FitData, FittedScorers
from interestrec.scoring.intensity_estimate import CONSTANT
from interestrec.scoring.list_writer import ListWriter
from interestrec.scoring.rank_settings import RankSettings
from interestrec.scoring.rules import Rules
from interestrec.scoring.search import has_times, intensity_goal, ranking_goal
from interestrec.scoring.shards import shard_range, upcoming_requests, user_rows
from interestrec.stages.run import RankRequest, RunContext, StageResult, produce
from interestrec.workspace.artifacts import Artifact, Recipe
from interestrec.workspace.reference_run import reference_decision

_POOL = 5  # times the length of a list: the best items that it is rearranged from


def run(context: RunContext) -> StageResult:
    """Fit and score all configured systems; the artifact is `rankings`, of a moment `lists`, of a part `shard`.

    Raises:
        ArtifactError: the model was built from another corpus or encoder.
        DataError: the corpus has no test impressions, or no positive event to fit on; an unknown id in a file of ids.
    """
    corpus_artifact, encoder, model = (context.open(kind) for kind in ("corpus", "encoder", "model"))
    model.require_input(corpus_artifact)
    model.require_input(encoder)
    settings, asking = context.settings, context.asking
    key = read_key(settings.preprocess.pseudonym_key, "preprocess.pseudonym_key")
    rules, leaned_on = settings.rank.rules, settings.preprocess.split.verified
    config = {**settings.lineage("rank"), "relevant_at": settings.data.relevant_at, **asking.lineage}
    digest, verified = reference_decision(leaned_on, config) if leaned_on else (None, {})
    recipe = Recipe(
        kind=asking.kind,
        inputs={
            **{artifact.kind: artifact.digest for artifact in (corpus_artifact, encoder, model)},
            **({"available": files.sha256_of(rules.available)} if rules.available else {}),
            **({"verified": digest} if digest else {}),
            # A digest of a few ids alone could be found out by guessing.
            **{name: pseudonym(key, digest) if key else digest for name, digest in asking.inputs.items()},
        },
        config=config,
        seed=settings.seed,
    )
    corpus = Corpus(corpus_artifact.path, settings.data.relevant_at)
    named = user_id_mapper(key, corpus_artifact.manifest["config"]) if key and asking.users else None
    stage = _Rank(corpus, model, encoder, settings.workspace, settings.rank, settings.seed, asking, verified, named)
    return produce(context, recipe, stage.build, _summarise)


@dataclass(frozen=True)
class _Rank:
    corpus: Corpus
    model: Artifact
    encoder: Artifact
    workspace: Path
    settings: RankSettings
    seed: int
    asking: RankRequest
    verified: dict[str, Any]  # systems.json of the verified run that decides here; empty: everything is chosen here
    named: Callable[[str], str] | None = None  # from an id in the file of users to the corpus's

    def build(self, directory: Path) -> None:
        corpus = self.corpus
        if self.asking.as_of is None and not (corpus.impressions.split == queries.TEST).any():
            raise DataError(
                f"{corpus.path}: the test split is empty, so there is nothing to rank; check preprocess.split, or ask "
                "for lists of a moment with --as-of"
            )
        train = self._observed(queries.VALID)
        if len(train.events.item) == 0:
            raise DataError(f"{corpus.path}: no train event is relevant; check data.relevant_at and event weights")
        requests = self._requests()
        asked = upcoming_requests(corpus, self._impressions(), requests)
        reading = ScorerInputs(self.model.path, self.encoder.path, corpus, self.workspace, asked)
        lineup, chosen = self._as_verified(reading) if self.verified else self._fitted(train, reading)
        counts = {"train_events": len(train.events.item), **self._write(directory, lineup, requests, reading)}
        if (
            log := self.model.path / artifact_files.TRAINING_LOG
        ).exists() and self.asking.as_of is None:  # for the page of the report
            files.write_parquet(directory / artifact_files.TRAINING_LOG, files.read_parquet(log), schemas.TRAINING_LOG)
        files.write_json(directory / artifact_files.SYSTEMS, self._describe(lineup, chosen, counts))

    def _fitted(self, train: FitData, reading: ScorerInputs) -> tuple[Ensemble, FittedScorers]:
        """Everything chosen on train → valid, and then fitted on all that may be known."""
        settings, corpus = self.settings, self.corpus
        # Lists of a moment are to be shown, not compared.
        alone = self.asking.as_of is not None and OURS in settings.systems
        systems = [OURS] if alone else list(settings.systems)
        estimators = list(settings.estimators) if OURS in systems else []
        names = required_scorers(systems, list(settings.components), estimators)
        fixed = untrained_scorers(names, reading, settings.tfidf.model_dump(), settings.retrieve, self.seed)
        given = given_to_fits(names, reading, self.seed)
        chosen = self._choose(names, train, given)
        wanted = EnsembleConfig(
            systems=systems,
            components=settings.components,
            estimators=estimators,
            weights=settings.blend.given,
            ablation="none" if alone else settings.ablation,
            exclude_seen=settings.rules.seen == "out",
        )
        lineup = fit_lineup(corpus, wanted, {**fixed, **chosen.scorers}, self.seed)
        if settings.refit:
            known = self._observed(queries.TEST)
            refitted = fitting.refit_chosen(chosen.settings, known, given)
            lineup = lineup.over({**fixed, **refitted}, self._cold(known))
        return lineup, chosen

    def _as_verified(self, reading: ScorerInputs) -> tuple[Ensemble, FittedScorers]:
        """Ours alone with what was chosen in the verified run, fitted on everything until now."""
        described = self.verified["systems"][OURS]
        names = required_scorers(
            [OURS], list(described["components"]), [e for e in described["intensity"] if e != CONSTANT]
        )
        fixed = untrained_scorers(names, reading, self.settings.tfidf.model_dump(), self.settings.retrieve, self.seed)
        settings = {name: self.verified["scorers"][name] for name in names if name not in fixed}
        known = self._observed(queries.TEST)
        scorers = fitting.refit_chosen(settings, known, given_to_fits(names, reading, self.seed))
        lineup = reference_ensemble(self.corpus, described, {**fixed, **scorers}, self._cold(known))
        return lineup, FittedScorers(scorers, settings, {})

    def _cold(self, known: FitData) -> np.ndarray:
        """bool [items], of which nothing is known; under --as-of what test tells is known as well."""
        cold = self.corpus.cold_items(queries.TEST)
        cold[known.events.item] = False
        return cold

    def _observed(self, before: int) -> FitData:
        """What happened in splits before `before`; under --as-of all that happened until then, once all is chosen."""
        until = self.asking.as_of if before == queries.TEST else None
        return FitData(
            queries.positive_events(self.corpus, before, until), queries.known_labels(self.corpus, before, until)
        )

    def _requests(self) -> Requests:
        """Whose lists over the whole catalogue are wanted."""
        if self.asking.as_of is None:
            requests = queries.catalogue_requests(self.corpus, queries.TEST)
        else:
            file = self.asking.users
            users = None if file is None else user_rows(file, self.corpus.users["user_id"], self.named)
            requests = queries.requests_as_of(self.corpus, self.asking.as_of, users)
        return requests.block(*shard_range(len(requests), self.corpus.items.num_rows, self.asking.shard))

    def _impressions(self) -> np.ndarray:
        """int64: the test impressions that are ranked."""
        if self.asking.as_of is not None:
            return np.zeros(0, np.int64)
        test = np.flatnonzero(self.corpus.impressions.split == queries.TEST)
        return test[slice(*shard_range(len(test), self.corpus.items.num_rows, self.asking.shard))]

    def _choose(self, names: list[str], train: FitData, given: dict[str, dict[str, Any]]) -> FittedScorers:
        corpus, settings = self.corpus, self.settings
        goals = ranking_goal(corpus, settings.rules.seen == "out", self.precedence, self.seed), intensity_goal(corpus)
        configured = {name: getattr(settings, name).model_dump() for name in names if hasattr(settings, name)}
        return fitting.fit_chosen(names, train, configured, given, goals, settings.trials, has_times(corpus), self.seed)

    def _write(self, directory: Path, lineup: Ensemble, requests: Requests, reading: ScorerInputs) -> dict[str, int]:
        """The tables; what was counted."""
        corpus, rules = self.corpus, self.rules
        layout = ranking_tables.TableLayout(
            corpus=corpus,
            systems=[*lineup.systems, *([BEFORE_RULES] if rules.rearranges else [])],
            components=list(self.settings.components) if OURS in lineup.systems else [],
            precedence=self.precedence,
        )
        truth = queries.request_truth(corpus, requests, queries.TEST)
        judged = rules.permit(truth.item, truth.seen)
        cold = corpus.cold_items(queries.TEST)
        wants_cold = np.zeros(len(requests), dtype=bool)
        wants_cold[truth.request[judged & cold[truth.item] & corpus.relevant(truth.label)]] = True
        schema = schemas.with_components(schemas.RANKED_CATALOGUE, layout.components)
        with ExitStack() as stack:
            write = stack.enter_context(ranking_tables.grouped_writer(directory / artifact_files.CATALOGUE, schema))
            write_cold = None
            if self.asking.as_of is None:
                write_cold = stack.enter_context(
                    ranking_tables.grouped_writer(directory / artifact_files.COLD_CATALOGUE, schema)
                )
            category = category_codes(corpus.items["category"])[:, 0].astype(np.int64)
            likeness = (
                content.unit_rows(reading.frozen_vectors) if rules.diversity > 0 else np.zeros((0, 0), np.float32)
            )
            lists = ListWriter(layout, rules, self.settings.top_k, category, likeness, cold, wants_cold)
            parts = list(blocks(len(requests), corpus.items.num_rows))
            for start, stop in track(parts, "rank catalogue", unit="blocks"):
                lists.write(lineup, requests, start, stop, write, write_cold)
        left_out = ease.left_out if isinstance(ease := lineup.scorers.get("ease"), Ease) else 0
        counts = {
            "ease_items_left_out": left_out,
            "catalogue_users": len(requests),
            "catalogue_users_without_history": int((np.diff(requests.offsets) == 0).sum()),
        }
        if self.asking.as_of is None:
            self._write_impressions(directory, lineup, layout)
            happened = ranking_tables.truth_table(corpus, requests, truth, judged)
            files.write_parquet(directory / artifact_files.TRUTH, happened, schemas.TRUTH)
            counts |= {"truth_pairs": happened.num_rows, "truth_pairs_seen_before": int(truth.seen.sum())}
        return counts

    def _write_impressions(self, directory: Path, lineup: Ensemble, layout: ranking_tables.TableLayout) -> None:
        corpus, test = self.corpus, self._impressions()
        schema = schemas.with_components(schemas.RANKED_IMPRESSIONS, layout.components)
        with ranking_tables.grouped_writer(directory / artifact_files.IMPRESSIONS, schema) as write:
            for start, stop in track(list(blocks(len(test), corpus.items.num_rows)), "rank impressions", unit="blocks"):
                asked = queries.impression_queries(corpus, test[start:stop])
                for scores in lineup.score_candidates(asked, corpus.impressions.item[asked.rows]):
                    write(scores.system, ranking_tables.impression_block(layout, test[start:stop], asked, scores))

    @cached_property
    def precedence(self) -> np.ndarray:
        """uint64 [items], who comes first among equal scores."""
        return id_hashes(self.corpus.items["item_id"].to_pylist(), self.seed)

    @cached_property
    def rules(self) -> Rules:
        """What lists may hold."""
        rules, corpus = self.settings.rules, self.corpus
        listed = np.ones(corpus.items.num_rows, dtype=bool)
        if rules.available is not None:
            stock = pa.array(files.read_lines(rules.available), pa.string())
            listed = pc.is_in(corpus.items["item_id"], value_set=stock).to_numpy()
            if not listed.any():
                raise DataError(f"{rules.available}: none of its lines is the id of an item of the corpus")
        if rules.max_age_days is not None:
            listed &= queries.published_since(corpus, self._now() - int(rules.max_age_days * 86_400_000_000))
        return Rules(
            seen=rules.seen,
            seen_penalty=rules.seen_penalty,
            listed=listed,
            per_category=rules.per_category,
            diversity=rules.diversity,
            pool=_POOL * self.settings.top_k,
        )

    def _now(self) -> int:
        """When lists are asked for: as of then, else when the test split begins; microseconds."""
        if self.asking.as_of is not None:
            return self.asking.as_of
        shown = self.corpus.impressions
        return int(shown.time[shown.split == queries.TEST].min())

    def _describe(self, lineup: Ensemble, chosen: FittedScorers, counts: dict[str, int]) -> dict[str, Any]:
        """The content of systems.json: settings and fits of every system, and what was counted."""
        systems: dict[str, Any] = {name: chosen.settings.get(name, {}) for name in lineup.systems}
        if OURS in systems:
            systems[OURS] = dict(lineup.described)
        if self.rules.rearranges:
            systems[BEFORE_RULES] = {}
        shared = self.settings.model_dump(mode="json", include={"refit", "rules", "top_k", "trials"})
        shared["rules"].pop("available")  # a path; its content is among the inputs
        return {
            "systems": systems,
            "scorers": chosen.settings,
            "tried": chosen.tried,
            "settings": shared,
            "counts": counts,
        }


def _summarise(path: Path) -> dict[str, Any]:
    described = files.read_json(path / artifact_files.SYSTEMS)
    return {"systems": sorted(described["systems"]), **described["counts"]}
