"""EASE: predicts every item from all others by one ridge regression in closed form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from interestrec.core import ragged
from interestrec.core.cell_sums import CellSums, PairSums
from interestrec.core.column_products import PairProducts
from interestrec.core.deferred_import import np, sparse
from interestrec.core.kept_blocks import keep_blocks
from interestrec.core.row_products import one_blas_thread
from interestrec.core.section import Count, Positive
from interestrec.scorers.catalogue_rows import CatalogueRows, DenseRows, SparseRows
from interestrec.scorers.definition import EXACTLY, GRADED_EVENTS, ScorerDefinition, TallyDefinition
from interestrec.scorers.ease_forms import DualEaseWeights, EaseWeights, dual_weights, primal_weights
from interestrec.scorers.ease_neighbours import NearestItems, SparseEaseWeights, nearest_items
from interestrec.scorers.event_weights import WEAK_EVIDENCE, EventWeights, EvidenceSettings
from interestrec.scorers.interactions import (
    history_recency_matrix,
    item_positions,
)
from interestrec.scorers.recency import HALF_LIVES
from interestrec.scorers.requests import Events, Requests
from interestrec.scorers.shared_users import count
from interestrec.scorers.stored_arrays import pack_optional, unpack_optional
from interestrec.scorers.tally import Tally


class EaseSettings(EvidenceSettings):
    """Settings of `ease`: item-item regression in closed form."""

    regularization: Positive = 200.0
    """Strength with which weights are kept small; larger acts against over-fitting and suits sparse logs."""
    half_life: Positive | None = None
    """Days after which an event and a history entry count half; shorter follows trends faster. `null` = all count
    alike."""
    max_size: Count = 8000
    """Users or items, whichever are fewer, up to which the solution is exact; above it each item is predicted from its
    `neighbours` most similar items. Memory grows with its square, time with its cube."""
    neighbours: Count = 100
    """Items that predict an item where the solution is not exact; more are closer to it and slower."""


@dataclass(frozen=True)
class Ease:
    """Scores h B, where h holds weight · recency of the distinct items of the history."""

    solution: EaseWeights | DualEaseWeights | SparseEaseWeights
    items: np.ndarray  # int64 [fitted items], their corpus rows, ascending
    n_items: int
    event_weights: EventWeights
    half_life: float | None

    def score_catalogue(self, requests: Requests) -> np.ndarray:
        """float32 [requests, items]; 0 for items outside the fit and for histories without fitted items."""
        score = np.zeros((len(requests), self.n_items), dtype=np.float32)
        score[:, self.items] = self.solution(self._histories(requests))
        return score

    def catalogue_rows(self, requests: Requests) -> CatalogueRows:
        """See GivesRows."""
        if not isinstance(self.solution, SparseEaseWeights):
            return DenseRows(self.score_catalogue(requests))
        fitted = self.solution.entries(self._histories(requests))
        shape = (len(requests), self.n_items)
        return SparseRows(sparse.csr_matrix((fitted.data, self.items[fitted.indices], fitted.indptr), shape=shape))

    def score_candidates(self, requests: Requests, offsets: np.ndarray, item: np.ndarray) -> np.ndarray:
        """float32 [len(item)]"""
        score = np.zeros(len(item), np.float32)
        position, fitted = item_positions(self.items, item)
        score[fitted] = self.solution.at(self._histories(requests), ragged.owner(offsets)[fitted], position[fitted])
        return score

    def arrays(self) -> dict[str, np.ndarray]:
        """See StorableScorer."""
        return {
            **self.solution.arrays(),
            "items": self.items,
            "n_items": np.array(self.n_items),
            **self.event_weights.arrays(),
            "half_life": pack_optional(self.half_life),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """See StorableScorer."""
        return cls(
            solution=_form(arrays).from_arrays(arrays),
            items=arrays["items"],
            n_items=int(arrays["n_items"]),
            event_weights=EventWeights.from_arrays(arrays),
            half_life=unpack_optional(arrays["half_life"]),
        )

    def _histories(self, requests: Requests) -> sparse.csr_matrix:
        return history_recency_matrix(requests, self.event_weights, self.n_items, self.half_life)[:, self.items]


def fit(
    events: Events,
    relevant_from: float,
    regularization: float,
    max_size: int,
    half_life: float | None = None,
    weak_evidence: float = 0.0,
    neighbours: int = 100,
) -> Ease:
    """Minimise ‖X − XB‖² + λ‖B‖² subject to diag(B) = 0, where X is users × items (Steck 2019).

    With P = (XᵀX + λI)⁻¹, B = I − P diag(P)⁻¹. The smaller of the two Gram matrices is inverted: with fewer users than
    items, P = (I − XᵀKX) / λ, K = (XXᵀ + λI)⁻¹, so that off the diagonal B = XᵀKX (I − diag(XᵀKX))⁻¹. With more than
    two items per user, B is kept as K.

    Args:
        events: positive events; an entry of X is the highest weight · recency of a pair, where the weight is that of
            EventWeights and the recency is 1 without a half-life.
        relevant_from: minimum relevant intensity.
        regularization: λ.
        max_size: maximum rows of the matrix to invert; if both users and items exceed it, the solution is that of
            `nearest_items`.
        half_life: days after which the weight of an event or history entry halves; None: never.
        weak_evidence: see EventWeights.
        neighbours: number of items that predict an item beyond `max_size`.

    Raises:
        NumericError: the regularized Gram matrix is not positive definite.
    """
    tally = count(events, relevant_from, half_life, weak_evidence)
    problem = prepare(tally, max_size, neighbours)
    return finish(problem, relevant_from, regularization, max_size, half_life, weak_evidence)


@dataclass(frozen=True)
class EaseProblem:
    """What is solved, without a regularization, in the form that fits the numbers of users and items."""

    tally: Tally
    source: sparse.csr_matrix | NearestItems | PairSums  # X of the fitted items; sparse; XᵀX


def prepare(tally: Tally, max_size: int, neighbours: int) -> EaseProblem:
    """Choose the form of the solution, and compute what all regularizations share."""
    lengths, shared = tally.cells("length"), tally.sums["shared"]
    items = lengths.items[0]
    if is_dual(tally, max_size) and isinstance(shared, PairProducts):
        return EaseProblem(tally, shared.left[:, items])
    if min(tally.users, len(items)) > max_size:
        return EaseProblem(tally, nearest_items(shared.blocks(items), lengths.value, neighbours))
    return EaseProblem(tally, keep_blocks(shared, items))


def finish(
    problem: EaseProblem,
    relevant_from: float,
    regularization: float,
    max_size: int,
    half_life: float | None,
    weak_evidence: float,
) -> Ease:
    """See fit.

    Each regularization has a Cholesky factorisation of its own. A shared eigendecomposition took as long as four to six
    of them at 2,000 to 4,000 items, and left each regularization half to two thirds of its time.
    """
    tally, source = problem.tally, problem.source
    lengths = tally.cells("length")
    solution: EaseWeights | DualEaseWeights | SparseEaseWeights
    with one_blas_thread():
        if isinstance(source, NearestItems):
            solution = source.weights(regularization)
        elif sparse.issparse(source):
            solution = dual_weights(source, regularization, max_size)
        else:
            solution = primal_weights(_gram(source, lengths), regularization)
    return Ease(solution, lengths.items[0], tally.n_items, EventWeights(relevant_from, weak_evidence), half_life)


def is_dual(tally: Tally, max_size: int) -> bool:
    """Whether the solution is in dual form, for which the users themselves are needed instead of sums over them."""
    return tally.users < len(tally.cells("length").cell) and tally.users <= max_size


def _form(arrays: Mapping[str, np.ndarray]) -> type[EaseWeights | DualEaseWeights | SparseEaseWeights]:
    if "weights" in arrays:
        return EaseWeights
    return DualEaseWeights if "kernel" in arrays else SparseEaseWeights


def _gram(shared: PairSums, lengths: CellSums) -> np.ndarray:
    """Return the Gram matrix of the fitted items, float64 [items, items]."""
    items = lengths.items[0]
    gram = np.zeros((len(items), len(items)))
    row = 0
    for block in shared.blocks(items):
        block.toarray(out=gram[row : row + block.shape[0]])
        row += block.shape[0]
    np.fill_diagonal(gram, lengths.value)
    return gram.T  # symmetric; LAPACK takes columns


DEFINITION = ScorerDefinition(
    fit=fit,
    scorer=Ease,
    fitted_on=GRADED_EVENTS,
    needs=("relevant_from",),
    settings=EaseSettings,
    follows=EXACTLY,
    tally=TallyDefinition(
        count,
        counting=("relevant_from", "half_life", "weak_evidence"),
        prepare=prepare,
        preparing=("max_size", "neighbours"),
        finish=finish,
        finishing=("relevant_from", "regularization", "max_size", "half_life", "weak_evidence"),
        needs_users=lambda tally, chosen: is_dual(tally, chosen["max_size"]),
    ),
    space={
        "regularization": [5.0, 20.0, 50.0, 100.0, 150.0, 200.0, 300.0, 450.0, 700.0, 1000.0, 1500.0, 2500.0],
        "half_life": HALF_LIVES,
        "weak_evidence": WEAK_EVIDENCE,
    },
    time_settings=("half_life",),
    evidence_settings=("weak_evidence",),
    per_user_settings=("regularization",),
    component="ease",
)
