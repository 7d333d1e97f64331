"""Frame-based scores per AU, exact in any number of batches and processes, with intervals.

Every metric is a `torchmetrics.Metric` that takes predictions, targets and the mask `known`, all of
shape (..., A) with A AUs, and computes one score per AU, shape (A,), in float64. Frames in which an
AU was not coded count for the other AUs only. The state is kept per subject, because frames of one
person are not independent: a confidence interval resamples subjects, never frames.

One rule for AUs that cannot be scored: a score is NaN when the labels do not allow it, whatever
was predicted, and averages leave it out. F1 needs a positive frame, the ROC AUC a positive and a
negative one, ICC(3,1) labels that vary, accuracy and MAE a coded frame.
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor
from torch.nn.functional import one_hot
from torchmetrics import Metric

_RESAMPLES = 1000  # of the bootstrap; the ends of a 95 % interval rest on 25 each


def resample(subjects: int, resamples: int = _RESAMPLES, seed: int = 0) -> Tensor:
    """How often each subject is drawn in each bootstrap resample of `subjects` subjects.

    Returns:
        (R, S) float64 counts; every row sums to `subjects`. The same seed gives the same counts.
        NaN for a single subject, who tells nothing of others.
    """
    if subjects == 1:
        return torch.full((resamples, 1), torch.nan, dtype=torch.float64)
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randint(subjects, (resamples, subjects), generator=generator)
    counts = torch.zeros(resamples, subjects, dtype=torch.float64)
    return counts.scatter_add_(1, drawn, torch.ones_like(counts))


def interval(samples: Tensor, level: float = 0.95) -> Tensor:
    """Percentile interval over the first axis, which holds the resamples.

    Args:
        samples: (R, ...) scores; NaN where a resample could not be scored.
        level: share of the resamples inside the interval.

    Returns:
        (..., 2) lower and upper end; NaN where no resample could be scored.
    """
    ends = torch.tensor([(1 - level) / 2, (1 + level) / 2], dtype=samples.dtype)
    return torch.nanquantile(samples.cpu(), ends, dim=0).movedim(0, -1)


class SubjectMetric(Metric, ABC):
    """What all metrics share: the shape of `update`, and scores of bootstrap resamples.

    Args:
        aus: number of AUs, A.
        subjects: number of subjects, S; `update` tells them apart by their index.
    """

    is_differentiable = False
    higher_is_better: bool | None = True
    full_state_update = False

    def __init__(self, aus: int, subjects: int = 1) -> None:
        super().__init__()
        self.aus = aus
        self.subjects = subjects

    def update(
        self, predicted: Tensor, target: Tensor, known: Tensor, subject: Tensor | None = None
    ) -> None:
        """Take in a batch.

        Args:
            predicted: (..., A) probabilities or intensities.
            target: (..., A) labels on the same scale; ignored where not known.
            known: (..., A) bool, False where the AU was not coded.
            subject: (...) index of each frame's subject, 0..S-1; None means subject 0.
        """
        if predicted.shape != target.shape or target.shape != known.shape:
            raise ValueError(
                f"predicted, target and known must have one shape (..., {self.aus}); got "
                f"{tuple(predicted.shape)}, {tuple(target.shape)}, {tuple(known.shape)}"
            )
        if subject is None:
            subject = torch.zeros(known.shape[:-1], dtype=torch.long, device=known.device)
        self._accumulate(
            predicted.reshape(-1, self.aus).double(),
            target.reshape(-1, self.aus).double(),
            known.reshape(-1, self.aus),
            subject.reshape(-1),
        )

    @abstractmethod
    def _accumulate(
        self, predicted: Tensor, target: Tensor, known: Tensor, subject: Tensor
    ) -> None:
        """Add (N, A) frames of the (N,) subjects to the state."""

    @abstractmethod
    def _scores(self, weights: Tensor) -> Tensor:
        """Scores (R, A) when subject s counts `weights[r, s]` times; the state is synchronised."""

    def compute(self) -> Tensor:
        """Score of each AU over all frames of all processes, float64; a scalar of a single AU.

        That is what the library makes of it; `per_au` is alike for any number of AUs.
        """
        return self._scores(torch.ones(1, self.subjects, dtype=torch.float64, device=self.device))[
            0
        ]

    def per_au(self) -> Tensor:
        """Score of each AU over all frames of all processes, (A,) float64."""
        scores: Tensor = self.compute()
        return scores.reshape(self.aus)

    def bootstrap(self, resamples: int = _RESAMPLES, seed: int = 0) -> Tensor:
        """Scores of resampled subjects over the frames of all processes, (R, A) float64."""
        weights = resample(self.subjects, resamples, seed).to(self.device)
        with self.sync_context():
            return self._scores(weights)


class _SumMetric(SubjectMetric):
    """A metric that is a function of sums over frames: its sufficient statistics."""

    sums: Tensor  # (S, A, K) float64

    def __init__(self, aus: int, subjects: int, statistics: int) -> None:
        super().__init__(aus, subjects)
        zeros = torch.zeros(subjects, aus, statistics, dtype=torch.float64)
        self.add_state("sums", zeros, dist_reduce_fx="sum")

    @abstractmethod
    def _statistics(self, predicted: Tensor, target: Tensor) -> Tensor:
        """Map (N, A) predictions and targets to the (N, A, K) terms of the sums."""

    @staticmethod
    @abstractmethod
    def score(sums: Tensor) -> Tensor:
        """Map sums (..., A, K) over any set of frames to scores (..., A)."""

    def _accumulate(
        self, predicted: Tensor, target: Tensor, known: Tensor, subject: Tensor
    ) -> None:
        # an uncoded cell may hold NaN, which a product with 0 would keep
        predicted, target = predicted.where(known, 0.0), target.where(known, 0.0)
        terms = self._statistics(predicted, target) * known.unsqueeze(-1)
        self.sums.index_add_(0, subject, terms)

    def _scores(self, weights: Tensor) -> Tensor:
        return self.score(torch.einsum("rs,sak->rak", weights, self.sums))

    def by_subject(self) -> Tensor:
        """Sums of each subject over the frames of all processes, (S, A, K) float64."""
        with self.sync_context():
            return self.sums.clone()


class _Confusion(_SumMetric):
    """Counts of true positives, false positives, false negatives and true negatives."""

    thresholds: Tensor

    def __init__(self, aus: int, subjects: int = 1, thresholds: Tensor | float = 0.5) -> None:
        """Predictions at or above `thresholds`, a number or one per AU (A,), are positive."""
        super().__init__(aus, subjects, statistics=4)
        given = torch.as_tensor(thresholds, dtype=torch.float64)
        self.register_buffer("thresholds", given.expand(aus).clone(), persistent=False)

    def _statistics(self, predicted: Tensor, target: Tensor) -> Tensor:
        yes, true = predicted >= self.thresholds, target >= 0.5
        return torch.stack([yes & true, yes & ~true, ~yes & true, ~yes & ~true], -1).double()


class F1(_Confusion):
    """Frame-based F1: the harmonic mean of precision and recall; NaN without a positive frame.

    >>> f1 = F1(aus=1)
    >>> target = torch.tensor([[1.0], [1.0], [0.0]])
    >>> f1.update(torch.tensor([[0.9], [0.2], [0.1]]), target, torch.ones(3, 1, dtype=torch.bool))
    >>> round(f1.compute().item(), 3)
    0.667
    """

    @staticmethod
    def score(sums: Tensor) -> Tensor:
        """F1 from (..., A, 4) counts of `_Confusion`."""
        tp, fp, fn, _ = sums.unbind(-1)
        return (2 * tp / (2 * tp + fp + fn)).where(tp + fn > 0, torch.nan)


class Accuracy(_Confusion):
    """Share of the coded frames that are labelled right; NaN without a coded frame."""

    @staticmethod
    def score(sums: Tensor) -> Tensor:
        """Accuracy from (..., A, 4) counts of `_Confusion`."""
        tp, _, _, tn = sums.unbind(-1)
        return (tp + tn) / sums.sum(-1)


class ICC31(_SumMetric):
    """Intra-class correlation ICC(3,1) of Shrout and Fleiss (1979) between two raters.

    With BMS the mean square between frames and EMS the residual one, ICC(3,1) for k = 2 raters is
    (BMS - EMS) / (BMS + EMS), which reduces to 2 cov(x, y) / (var(x) + var(y)). NaN when the labels
    do not vary.
    """

    def __init__(self, aus: int, subjects: int = 1) -> None:
        super().__init__(aus, subjects, statistics=6)

    def _statistics(self, predicted: Tensor, target: Tensor) -> Tensor:
        x, y = predicted, target
        return torch.stack([torch.ones_like(x), x, y, x * x, y * y, x * y], -1)

    @staticmethod
    def score(sums: Tensor) -> Tensor:
        """ICC(3,1) from (..., A, 6) sums of 1, x, y, x^2, y^2, xy; y holds the labels."""
        n, x, y, xx, yy, xy = sums.unbind(-1)
        square_x, square_y = xx - x * x / n, yy - y * y / n  # n times the variances
        # the difference of two equal sums leaves a rest of rounding, which is no variance
        varies = square_y > 1e-9 * yy
        return (2 * (xy - x * y / n) / (square_x + square_y)).where(varies, torch.nan)


class MAE(_SumMetric):
    """Mean absolute error; NaN without a coded frame."""

    higher_is_better = False

    def __init__(self, aus: int, subjects: int = 1) -> None:
        super().__init__(aus, subjects, statistics=2)

    def _statistics(self, predicted: Tensor, target: Tensor) -> Tensor:
        return torch.stack([(predicted - target).abs(), torch.ones_like(target)], -1)

    @staticmethod
    def score(sums: Tensor) -> Tensor:
        """Mean absolute error from (..., A, 2) sums of the errors and of 1."""
        error, frames = sums.unbind(-1)
        return error / frames


class _RankMetric(SubjectMetric):
    """A metric that depends on the order of all predictions, which it therefore keeps."""

    predicted: list[Tensor] | Tensor
    target: list[Tensor] | Tensor
    known: list[Tensor] | Tensor
    subject: list[Tensor] | Tensor

    def __init__(self, aus: int, subjects: int = 1) -> None:
        super().__init__(aus, subjects)
        for state in ("predicted", "target", "known", "subject"):
            self.add_state(state, [], dist_reduce_fx="cat")

    def _accumulate(
        self, predicted: Tensor, target: Tensor, known: Tensor, subject: Tensor
    ) -> None:
        for state, value in (
            (self.predicted, predicted.float()),  # what a network gives; half the memory
            (self.target, target >= 0.5),
            (self.known, known),
            (self.subject, subject),
        ):
            assert isinstance(state, list)  # torchmetrics turns it into a tensor only while synced
            state.append(value)

    def _frames(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """All frames: predictions (N, A), positive (N, A), negative (N, A), subject (N,)."""
        cells = torch.empty(0, self.aus, device=self.device)
        starts = (cells, cells.bool(), cells.bool(), torch.empty(0, dtype=torch.long))
        states = (self.predicted, self.target, self.known, self.subject)
        predicted, target, known, subject = (
            torch.cat([start.to(self.device), *(state if isinstance(state, list) else [state])])
            for start, state in zip(starts, states, strict=True)
        )
        return predicted, target & known, ~target & known, subject


class AUC(_RankMetric):
    """Exact area under the ROC curve: how often a positive frame scores above a negative one.

    Ties count one half. NaN without both a positive and a negative frame. The sufficient statistic
    for a resample of subjects is the number of won pairs between the positive frames of each
    subject and the negative frames of each other.
    """

    def _scores(self, weights: Tensor) -> Tensor:
        predicted, positive, negative, subject = self._frames()
        member = one_hot(subject, self.subjects).double()  # (N, S)
        scores = [
            self._weighted(predicted[:, au], positive[:, au], negative[:, au], member, weights)
            for au in range(
                self.aus
            )  # each AU sorts the frames anew: the (N, S) tables of all are big
        ]
        return torch.stack(scores, -1)

    @staticmethod
    def _weighted(
        predicted: Tensor, positive: Tensor, negative: Tensor, member: Tensor, weights: Tensor
    ) -> Tensor:
        """AUC (R,) of one AU from (N,) frames, their membership (N, S) and weights (R, S)."""
        order = predicted.argsort()
        ranked = predicted[order]
        rank = torch.zeros_like(order)  # number of the frame's value among the distinct ones
        rank[1:] = (ranked[1:] != ranked[:-1]).cumsum(0)
        positives, negatives = (member[order] * mask[order, None] for mask in (positive, negative))
        ties = torch.zeros(
            len(order) + 1, member.shape[1], dtype=torch.float64, device=member.device
        )
        ties.index_add_(0, rank + 1, negatives)  # row v + 1: negatives with the v-th value
        below = ties.cumsum(0)[rank] + ties[rank + 1] / 2  # (N, S) negatives beaten by each frame
        won = positives.T @ below  # (S, S) won pairs
        pairs = (weights @ positives.sum(0)) * (weights @ negatives.sum(0))
        return ((weights @ won) * weights).sum(-1) / pairs  # 0 / 0 is NaN, as the rule wants


class BestThreshold(_RankMetric):
    """The threshold on the probability at which each AU's F1 is highest; 0.5 without a positive.

    It lies half way between the lowest accepted and the highest rejected probability.
    """

    higher_is_better = None

    def _scores(self, weights: Tensor) -> Tensor:
        predicted, positive, negative, subject = self._frames()
        ranked, order = predicted.double().sort(dim=0, descending=True)
        following = torch.cat([ranked[1:], ranked.new_zeros(1, self.aus)])
        rows = []
        for count in weights[:, subject].unsqueeze(-1):  # (N, 1) each: all resamples are big
            # accepting the n-th frame accepts all before it
            tp = (count * positive).gather(0, order).cumsum(0)
            fp = (count * negative).gather(0, order).cumsum(0)
            f1 = 2 * tp / (tp + fp + tp[-1:])  # 2tp + fp + fn, as tp + fn are all positives
            f1 = f1.where(ranked > following, -1.0)  # equal probabilities are accepted together
            best = f1.nan_to_num(-1.0).argmax(0, keepdim=True)
            middle = (ranked + following).gather(0, best) / 2
            rows.append(middle.where(tp[-1:] > 0, 0.5)[0])
        return torch.stack(rows)
