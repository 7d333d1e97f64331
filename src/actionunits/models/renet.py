"""RE-Net: AU-conditional batch norms tied by an AU relation graph, on ResNet-18.

Yang and Yin, *RE-Net: A Relation Embedded Deep Model for AU Occurrence and Intensity Estimation*
(ACCV 2020). Equation and section numbers are the paper's.
"""

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from actionunits.aus import AUSet
from actionunits.errors import DataError, RecipeError, UserError
from actionunits.losses import LEVELS, intensity_cross_entropy, occurrence_cross_entropy
from actionunits.models.registry import choose, register
from actionunits.nn.backbone import IMAGENET_MEAN, IMAGENET_STD
from actionunits.nn.resnet import ConditionalResNet18, Conditions
from actionunits.types import Batch, InputSpec, LabelStats, Output

Relation = Literal["pearson", "learnable", "identity", "none"]
Task = Literal["occurrence", "intensity", "both"]
TrainAUs = Literal["one", "all"]
Prediction = Literal["expectation", "argmax"]

_LEAST_SUM = 0.1  # of a row of the relation, which Eq. (5) divides by


class RENetLoss:
    """Cross-entropy summed over AUs and averaged over frames: Eq. (6) without its second minus.

    Reads only the AUs that the model says it trained in this batch (``aux["trained"]``).

    Args:
        aus: label axis.
        stats: not used; RE-Net does not weight AUs.
        task: ``occurrence`` and ``intensity`` give the term of their name, ``both`` gives both.
    """

    def __init__(self, aus: AUSet, stats: LabelStats, *, task: Task = "occurrence") -> None:
        self.terms = ("occurrence", "intensity") if task == "both" else (task,)
        self.needs: tuple[str, ...] = () if task == "occurrence" else ("intensity",)

    def __call__(self, out: Output, batch: Batch) -> dict[str, Tensor]:
        """Return the scalar terms."""
        assert out.aux is not None
        rows = out.aux["trained"]
        known = batch.known[:, rows]
        terms = {}
        if "occurrence" in self.terms:
            loss = occurrence_cross_entropy(out.logits[:, rows], batch.labels[:, rows], known)
            terms["occurrence"] = loss.sum()
        if "intensity" in self.terms:
            assert batch.intensity is not None
            levels = out.aux["levels"][:, rows]
            loss = intensity_cross_entropy(levels, batch.intensity[:, rows], known)
            terms["intensity"] = loss.sum()
        return terms


@register("renet", RENetLoss)
class RENet(nn.Module):
    """AU occurrence and intensity by one ResNet-18 an AU that share all but the norms.

    Every norm has statistics, scale and shift for each AU; Eq. (5) mixes scale and shift over the
    AUs by their relation. The linear head is shared, so that an AU that was never trained can be
    read with parameters mixed from the others (section 4.6).

    Args:
        aus: label axis, C AUs.
        stats: of the training rows; its correlation is the Pearson relation (of occurrence or of
            intensity, as the table computed it).
        relation: ``pearson``; ``learnable`` (diagonal 1, the others start uniform in 0..1 and are
            trained; they move only once the norms have parted, as mixing equal ones changes
            nothing); ``identity`` is Eq. (3), nothing mixed; ``none`` is the paper's ResNet-18
            baseline: shared norms, one pass, one output an AU, always trained on all AUs.
        task: one output for occurrence, six levels for intensity, or both.
        train_aus: ``one`` random AU a batch, or ``all``.
        held_out: FACS numbers that are never trained. Their scale, shift and statistics come from
            Eq. (5) over the other AUs.
        unit_affine: scale 1 and shift 0 in Eq. (4); only running statistics then tell AUs apart.
        prediction: intensity as the expectation over the levels or as the likeliest level.
        threshold: level from which an AU occurs, for the logits of ``task="intensity"``.
        size: side of the crop that the model sees, in pixels.
        align: side of the aligned face that the crop is taken from.
        width: channels of the first stage, 64 in the paper.
        spread: standard deviation, at the start, of the AUs' scales about 1 and shifts about 0. The
            paper does not say; from 0 the AUs part slowly where the training is short.

    Raises:
        RecipeError: a setting has a value that it cannot have, or two contradict each other.
        DataError: the relations of an AU sum to less than 0.1, so that Eq. (5) cannot divide.
    """

    starts: ClassVar[tuple[str, ...]] = ("imagenet",)
    step: Tensor
    identity: Tensor
    allowed: Tensor
    trained: Tensor

    def __init__(
        self,
        aus: AUSet,
        stats: LabelStats,
        *,
        relation: Relation = "pearson",
        task: Task = "occurrence",
        train_aus: TrainAUs = "one",
        held_out: Sequence[int] = (),
        unit_affine: bool = False,
        prediction: Prediction = "expectation",
        threshold: int = 2,
        size: int = 224,
        align: int = 256,
        width: int = 64,
        spread: float = 0.0,
    ) -> None:
        super().__init__()
        choose("relation", relation, Relation)
        choose("task", task, Task)
        choose("train_aus", train_aus, TrainAUs)
        choose("prediction", prediction, Prediction)
        _check(aus, relation, held_out, size, align, width)
        if not 1 <= threshold < LEVELS:
            raise RecipeError(f"threshold: expected 1 to {LEVELS - 1}, got {threshold}")
        self.aus, self.train_aus, self.prediction = aus, train_aus, prediction
        self.occurrence, self.intensity = task != "intensity", task != "occurrence"
        self.threshold = threshold
        self.spec = InputSpec(size, align, IMAGENET_MEAN, IMAGENET_STD)

        shared = relation == "none"
        conditions = 1 if shared else len(aus)
        self.heads = len(aus) if shared else 1  # AUs that one pass reads
        self.outputs = self.occurrence + LEVELS * self.intensity
        self.backbone = ConditionalResNet18(
            conditions,
            width=width,
            unit_affine=unit_affine,
            spread=0.0 if shared else spread,  # a single norm has nothing to be apart from
        )
        self.head = nn.Linear(self.backbone.features, self.heads * self.outputs)

        self.register_buffer("step", torch.zeros((), dtype=torch.int64))
        self._add_relation(relation, stats, conditions, [aus.index(n) for n in held_out])
        self._check_divisors(self._omega())

    def forward(self, images: Tensor) -> Output:
        """Read AUs off faces.

        Args:
            images: (B, 3, size, size), normalised.

        Returns:
            ``logits`` (B, A), and with intensity ``intensity`` (B, A) and ``aux["levels"]``
            (B, A, 6). ``aux["trained"]`` (K,) are the positions that the loss may read: the AUs
            drawn for this batch in training, else all that are not held out. In training the
            outputs of AUs that were not drawn are NaN. ``aux["embeddings"]`` (B, K, D) are what the
            head reads; K is 1 for a model with shared norms.
        """
        mix = self.mixing()
        rows = self._draw() if self.training else torch.arange(len(mix), device=mix.device)
        seen = self._carry(mix)[rows]
        features = self.backbone(images, Conditions(rows, mix[rows], seen))
        values = self.head(features)  # (B, K, heads * outputs)
        if self.heads > 1:
            values = values.view(-1, self.heads, self.outputs)
        elif len(rows) < len(self.aus):
            blank = values.new_full((values.shape[0], len(self.aus), self.outputs), torch.nan)
            values = blank.index_copy(1, rows, values)
        trained = rows if self.training and self.heads == 1 else self.trained
        return self._output(values, {"trained": trained, "embeddings": features})

    def _output(self, values: Tensor, aux: dict[str, Tensor]) -> Output:
        if not self.intensity:
            return Output(values[..., 0], aux=aux)
        levels = aux["levels"] = values[..., -LEVELS:]
        if self.occurrence:
            logits = values[..., 0]
        else:  # log-odds of reaching the threshold
            below, above = levels.tensor_split([self.threshold], -1)
            logits = above.logsumexp(-1) - below.logsumexp(-1)
        if self.prediction == "expectation":
            scale = torch.arange(LEVELS, device=levels.device, dtype=torch.float32)
            intensity = (levels.float().softmax(-1) * scale).sum(-1)
        else:
            intensity = levels.argmax(-1).float()
        return Output(logits, intensity, aux=aux)

    def _add_relation(
        self, kind: Relation, stats: LabelStats, conditions: int, held_out: list[int]
    ) -> None:
        """Set up omega of Eq. (5), and which AUs may lend their parameters to which."""
        identity = torch.eye(conditions)
        omega = stats.correlation.float().clone() if kind == "pearson" else identity.clone()
        if kind == "learnable":
            self.relation = nn.Parameter(torch.rand(conditions, conditions))
        else:
            self.register_buffer("relation", omega)
        allowed = torch.ones(conditions, conditions)
        allowed[:, held_out] = 0  # parameters that are never trained are lent to nobody
        trained = [i for i in range(len(self.aus)) if i not in held_out]
        self.register_buffer("identity", identity, persistent=False)
        self.register_buffer("allowed", allowed, persistent=False)
        self.register_buffer("trained", torch.tensor(trained), persistent=False)

    def _omega(self) -> Tensor:
        """Return omega of Eq. (5): (C, C), diagonal 1, 0 where an AU is held out."""
        return torch.where(self.identity == 1, 1.0, self.relation) * self.allowed

    def mixing(self) -> Tensor:
        """Return the weights of Eq. (5): (C, C), rows sum to 1.

        Raises:
            DataError: a learned relation has become such that Eq. (5) cannot divide.
        """
        omega = self._omega()
        if self.training and self.relation.requires_grad:
            self._check_divisors(omega)
        return omega / omega.sum(1, keepdim=True)

    def relations(self) -> Tensor:
        """Return omega of Eq. (5): (1, C, C), before its rows are divided by their sums.

        Raises:
            RecipeError: the model relates no AUs.
        """
        if self.heads > 1:
            raise RecipeError("a model with relation=none relates no AUs")
        return self._omega()[None]

    def _check_divisors(self, omega: Tensor) -> None:
        sums = omega.sum(1)
        if sums.min() < _LEAST_SUM:
            worst = int(sums.argmin())
            raise DataError(
                f"the relations of {self.aus.columns()[worst]} to the trained AUs sum to "
                f"{sums[worst].item():.2f}, because they seldom occur together, and RE-Net divides "
                f"by that sum, which must be {_LEAST_SUM} or more: add --ablation relation=none, "
                "which relates no AUs, or leave the AU out with --set data.aus"
            )

    def _carry(self, mix: Tensor) -> Tensor:
        """Weights (C, C) of the running statistics: an AU's own, or Eq. (5) where held out."""
        held_out = (self.allowed.diagonal() == 0)[:, None]
        return torch.where(held_out, mix, self.identity)

    def _draw(self) -> Tensor:
        """Conditions of this training step; the same on all processes, which count alike."""
        self.step += 1
        if self.heads > 1:
            return self.trained.new_zeros(1)
        if self.train_aus == "all":
            return self.trained
        generator = torch.Generator().manual_seed(int(self.step))
        drawn = torch.randint(len(self.trained), (1,), generator=generator)
        return self.trained[drawn.to(self.trained.device)]

    def adopt(self, other: nn.Module, aus: AUSet | None) -> None:
        """Start from another RE-Net.

        Norms are taken AU by AU, those of a ResNet-18 baseline for every AU; the head where both
        have one of the same kind.

        Args:
            other: the other model.
            aus: its label axis.

        Raises:
            RecipeError: it is no RE-Net, has another width or head, or norms for each AU where
                this one shares them.
        """
        if not isinstance(other, RENet) or aus is None:
            raise RecipeError("init: RE-Net starts from checkpoints of RE-Net and its baseline")
        if other.backbone.features != self.backbone.features:
            raise RecipeError("init: expected a RE-Net of the same width")
        shared_here, shared_there = self.heads > 1, other.heads > 1
        if shared_here and not shared_there:
            raise RecipeError("init: a baseline cannot start from norms that differ from AU to AU")
        state = other.backbone.state_dict()
        if shared_there:
            self.backbone.load_shared(state)
        else:
            rows = [aus.index(n) if n in aus.numbers else None for n in self.aus.numbers]
            self.backbone.load_conditions(state, rows)
        same_rows = not shared_here or aus.numbers == self.aus.numbers
        same_kind = shared_here == shared_there and self.outputs == other.outputs
        if same_rows and same_kind:
            self.head.load_state_dict(other.head.state_dict())

    def start_from(self, source: str) -> None:
        """Start the backbone from the one source, torchvision's ImageNet weights, downloaded once.

        Raises:
            RecipeError: the backbone has another width.
            UserError: they are neither on disk nor to be had.
        """
        from torchvision.models import ResNet18_Weights  # slow, and wanted for this only

        if self.backbone.conv1.out_channels != 64:
            raise RecipeError("the ImageNet weights are those of width=64")
        try:
            state = ResNet18_Weights.IMAGENET1K_V1.get_state_dict(progress=False, check_hash=True)
        except OSError as error:
            raise UserError(
                "the ImageNet weights of ResNet-18 are not on disk and cannot be downloaded "
                f"({error}): connect once, or train without them"
            ) from error
        self.backbone.load_torchvision(state)


def _check(
    aus: AUSet, relation: str, held_out: Sequence[int], size: int, align: int, width: int
) -> None:
    foreign = [n for n in held_out if n not in aus.numbers]
    if foreign:
        raise RecipeError(f"held_out: AUs {foreign} are not among the AUs {list(aus.numbers)}")
    if held_out and relation == "none":
        raise RecipeError("held_out needs a relation: a shared norm reads trained AUs only")
    if len(set(held_out)) == len(aus):
        raise RecipeError("held_out: at least one AU must be trained")
    if not 32 <= size <= align:
        raise RecipeError(f"size: expected 32 to align ({align}) pixels, got {size}")
    if width < 8:  # PyTorch's CPU kernels were seen to corrupt memory below that, channels last
        raise RecipeError(f"width: expected 8 channels or more, got {width}")
