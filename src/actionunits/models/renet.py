"""RE-Net: AU-conditional batch norms tied by an AU relation graph, on ResNet-18.

Yang and Yin, *RE-Net: A Relation Embedded Deep Model for AU Occurrence and Intensity Estimation*
(ACCV 2020). Equation and section numbers are the paper's.
"""

import math
from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from actionunits.aus import AUSet
from actionunits.errors import DataError, RecipeError
from actionunits.losses import LEVELS, intensity_cross_entropy, occurrence_cross_entropy
from actionunits.models.registry import choose, register
from actionunits.nn.backbone import IMAGENET_MEAN, IMAGENET_STD
from actionunits.nn.pooled import Pooled
from actionunits.nn.resnet import ConditionalResNet18, Conditions
from actionunits.system.together import processes, share
from actionunits.types import Batch, InputSpec, LabelStats, Output

Relation = Literal["pearson", "learnable", "identity", "none"]
Task = Literal["occurrence", "intensity", "both"]
TrainAUs = Literal["one", "all", "each"] | Annotated[int, Field(ge=1)]
Head = Literal["shared", "own"]
Prediction = Literal["expectation", "argmax"]

RESNET18 = "resnet18"  # ours, with norms for each AU
_LEAST_SUM = 0.1  # of a row of the relation, which Eq. (5) divides by


class RENetLoss:
    """Cross-entropy summed over AUs and averaged over frames: Eq. (6) without its second minus.

    Reads only what the model says it trained in this batch (``aux["trained"]``).

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
        known = batch.known & out.aux["trained"]
        terms = {}
        if "occurrence" in self.terms:
            terms["occurrence"] = occurrence_cross_entropy(out.logits, batch.labels, known).sum()
        if "intensity" in self.terms:
            assert batch.intensity is not None
            loss = intensity_cross_entropy(out.aux["levels"], batch.intensity, known)
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
            intensity, as the table computed it). Where it relates no AUs at all, weights are taken
            to be loaded next. An AU occurs, for the logits of ``task="intensity"``, from its
            threshold on, or from level 2 where it has none.
        relation: ``pearson``; ``learnable`` (diagonal 1, the others start uniform in 0..1; trained,
            but unmoved until the norms have parted: mixing equal ones changes nothing);
            ``identity`` is Eq. (3), nothing mixed; ``none`` is the paper's ResNet-18 baseline:
            shared norms, one pass, one output an AU, always trained on all AUs.
        task: one output for occurrence, six levels for intensity, or both.
        train_aus: the AUs of a batch. ``all`` and ``one`` at random are the strategies of section
            3.4; a number draws so many. ``each`` deals all of them out evenly, to each picture an
            AU of its own: a batch costs one pass, and a norm sees of an AU only the pictures that
            have it, B / C of a batch of B, so that its statistics waver unless B is many times C.
        head: ``shared``, or an output for each AU of its ``own``, which a baseline can lend.
        held_out: FACS numbers that are never trained. Their scale, shift and statistics come from
            Eq. (5) over the other AUs. They need the shared head.
        unit_affine: scale 1 and shift 0 in Eq. (4). Section 4.6 calls that equal to the plain
            ResNet-18, which it is with an output for each AU: all else is shared, and in training
            so are the statistics. With the shared head, which the same section needs for the AUs
            that it holds out, all AUs would be read alike. So it needs ``head="own"``.
        prediction: intensity as the expectation over the levels or as the likeliest level.
        backbone: of the baseline, ``relation=none``, any that timm has, by its name there.
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
    reached: Tensor

    def __init__(
        self,
        aus: AUSet,
        stats: LabelStats,
        *,
        relation: Relation = "pearson",
        task: Task = "occurrence",
        train_aus: TrainAUs = "one",
        head: Head = "shared",
        held_out: Sequence[int] = (),
        unit_affine: bool = False,
        prediction: Prediction = "expectation",
        backbone: str = RESNET18,
        size: int = 224,
        align: int = 256,
        width: int = 64,
        spread: float = 0.0,
    ) -> None:
        super().__init__()
        choose("relation", relation, Relation)
        choose("task", task, Task)
        choose("head", head, Head)
        choose("prediction", prediction, Prediction)
        _check_sizes(size, align, width)
        _check_aus(aus, relation, train_aus, head, held_out, unit_affine)
        if backbone != RESNET18 and (relation != "none" or width != 64 or unit_affine):
            raise RecipeError(
                f"backbone: {backbone} needs relation=none, and no width, unit_affine"
            )
        self.aus, self.prediction = aus, prediction
        self.train_aus = 1 if train_aus == "one" else train_aus
        self.held_out = tuple(aus.index(n) for n in held_out)
        self.occurrence, self.intensity = task != "intensity", task != "occurrence"
        self.spec = InputSpec(size, align, IMAGENET_MEAN, IMAGENET_STD)

        self.shared = relation == "none"  # norms
        conditions = 1 if self.shared else len(aus)
        self.heads = len(aus) if self.shared or head == "own" else 1
        self.outputs = self.occurrence + LEVELS * self.intensity
        self.backbone: ConditionalResNet18 | Pooled = ConditionalResNet18(
            conditions,
            width=width,
            unit_affine=unit_affine,
            spread=0.0 if self.shared else spread,  # a single norm has nothing to be apart from
        )
        if backbone != RESNET18:
            self.backbone = Pooled(backbone, size=size)
        self.head = nn.Linear(self.backbone.features, self.heads * self.outputs)

        self.register_buffer("step", torch.zeros((), dtype=torch.int64))
        self.seed = torch.initial_seed()  # a run sets it from its recipe: the order follows it
        if not self.occurrence:
            level = math.ceil(stats.threshold or 2)
            self.register_buffer("reached", torch.arange(LEVELS) >= level)
        self._add_relation(relation, stats, conditions)
        if not torch.equal(stats.correlation, torch.eye(len(aus))):
            self._check_divisors(self._omega())

    def forward(self, images: Tensor) -> Output:
        """Read AUs off faces.

        Args:
            images: (B, 3, size, size), normalised.

        Returns:
            ``logits`` (B, A), and with intensity ``intensity`` (B, A) and ``aux["levels"]``
            (B, A, 6). ``aux["trained"]`` (B, A), bool, is what the loss may read: in training the
            AUs drawn for this batch or picture, whose other outputs are NaN then; else those that
            are not held out. ``aux["embeddings"]`` (B, K, D) are what the head reads; K is 1
            for a model with shared norms, or where each picture has its AU.
        """
        mix = self.mixing()
        each = self.training and self.train_aus == "each" and not self.shared
        rows = self._draw(len(images)) if self.training else torch.arange(len(mix))
        rows = rows.to(mix.device)
        conditions = Conditions(rows, mix[rows], self._carry(mix)[rows], each)
        features = self.backbone(images, conditions)  # (B, K, D)
        values = self._read(features, rows, each)  # (B, K or A, outputs)
        trained = self.trained.expand(images.shape[0], -1)  # `len` would fix it in an export
        if self.training and not self.shared:
            picture = torch.arange(len(images), device=mix.device)
            drawn = (picture if each else picture[:, None], rows)
            blank = values.new_full((*trained.shape, self.outputs), torch.nan)
            values = blank.index_put(drawn, values[:, 0] if each else values)
            trained = torch.zeros_like(trained).index_put(drawn, trained.new_ones(()))
        return self._output(values, {"trained": trained, "embeddings": features})

    def _read(self, features: Tensor, rows: Tensor, each: bool) -> Tensor:
        """Outputs of the head: (B, K, outputs), or (B, A, outputs) where norms are shared."""
        if self.shared or self.heads == 1:
            values: Tensor = self.head(features)
            return values.view(-1, self.heads, self.outputs) if self.shared else values
        weight = self.head.weight.view(self.heads, self.outputs, -1)[rows]
        bias = self.head.bias.view(self.heads, self.outputs)[rows]
        if each:
            weight, bias = weight[:, None], bias[:, None]
        return (weight @ features[..., None])[..., 0] + bias

    def _output(self, values: Tensor, aux: dict[str, Tensor]) -> Output:
        if not self.intensity:
            return Output(values[..., 0], aux=aux)
        levels = aux["levels"] = values[..., -LEVELS:]
        if self.occurrence:
            logits = values[..., 0]
        else:  # log-odds of reaching the threshold
            above = levels.masked_fill(~self.reached, -torch.inf)
            below = levels.masked_fill(self.reached, -torch.inf)
            logits = above.logsumexp(-1) - below.logsumexp(-1)
        if self.prediction == "expectation":
            scale = torch.arange(LEVELS, device=levels.device, dtype=torch.float32)
            intensity = (levels.float().softmax(-1) * scale).sum(-1)
        else:
            intensity = levels.argmax(-1).float()
        return Output(logits, intensity, aux=aux)

    def _add_relation(self, kind: Relation, stats: LabelStats, conditions: int) -> None:
        """Set up omega of Eq. (5), and which AUs may lend their parameters to which."""
        identity = torch.eye(conditions)
        omega = stats.correlation.float().clone() if kind == "pearson" else identity.clone()
        if kind == "learnable":
            self.relation = nn.Parameter(torch.rand(conditions, conditions))
        else:
            self.register_buffer("relation", omega)
        allowed = torch.ones(conditions, conditions)
        allowed[:, list(self.held_out)] = 0  # parameters that are never trained are lent to nobody
        trained = torch.ones(len(self.aus), dtype=torch.bool)
        trained[list(self.held_out)] = False
        self.register_buffer("identity", identity, persistent=False)
        self.register_buffer("allowed", allowed, persistent=False)
        self.register_buffer("trained", trained, persistent=False)

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
        if self.shared:
            raise RecipeError("a model with relation=none relates no AUs")
        return self._omega()[None]

    def _check_divisors(self, omega: Tensor) -> None:
        sums = omega.sum(1)
        if sums.min() >= _LEAST_SUM:
            return
        worst = int(sums.argmin())
        if self.held_out:
            whole = torch.where(self.identity == 1, 1.0, self.relation)
            without = whole.sum(1, keepdim=True) - whole  # [i, c]: row i where c is held out
            able = (without >= _LEAST_SUM).all(0).nonzero().flatten().tolist()
            names = ", ".join(str(self.aus.numbers[i]) for i in able)
            advice = f"hold out another AU, by itself one of {names or 'none'}, or fewer of them"
        else:
            advice = (
                "add --ablation relation=none, which relates no AUs, or leave the AU out with "
                "--set data.aus"
            )
        raise DataError(
            f"the relations of {self.aus.columns()[worst]} to the trained AUs sum to "
            f"{sums[worst].item():.2f}, because they seldom occur together, and RE-Net divides "
            f"by that sum, which must be {_LEAST_SUM} or more: {advice}"
        )

    def _carry(self, mix: Tensor) -> Tensor:
        """Weights (C, C) of the running statistics: an AU's own, or Eq. (5) where held out."""
        held_out = (self.allowed.diagonal() == 0)[:, None]
        return torch.where(held_out, mix, self.identity)

    def _draw(self, count: int) -> Tensor:
        """Conditions of this training step, drawn for the batch of all processes.

        Returns:
            (K,) of all pictures, or (count,), one for each of those here.
        """
        self.step += 1
        if self.shared:
            return torch.zeros(1, dtype=torch.int64)
        able = self.trained.nonzero().flatten().cpu().numpy()
        if self.train_aus == "all":
            return torch.from_numpy(able)
        generator = np.random.default_rng((self.seed, int(self.step)))
        if self.train_aus == "each":
            drawn = np.resize(generator.permutation(able), count * processes())
            drawn = generator.permutation(drawn)[share(len(drawn))]
        else:
            drawn = generator.choice(able, self.train_aus, replace=False)
        return torch.from_numpy(drawn)

    def adopt(self, other: nn.Module, aus: AUSet | None) -> None:
        """Start from another RE-Net.

        Norms are taken AU by AU, those of a baseline for every AU; of the head what both have,
        outputs of an AU AU by AU.

        Args:
            other: the other model.
            aus: its label axis.

        Raises:
            RecipeError: it is no RE-Net, has another backbone or width, or norms for each AU where
                this one shares them.
        """
        if not isinstance(other, RENet) or aus is None:
            raise RecipeError("init: RE-Net starts from checkpoints of RE-Net and its baseline")
        here, there = self.backbone.name, other.backbone.name
        if here != there:
            raise RecipeError(f"init: expected a RE-Net whose backbone is {here}, found {there}")
        shared_here, shared_there = self.shared, other.shared
        if shared_here and not shared_there:
            raise RecipeError("init: a baseline cannot start from norms that differ from AU to AU")
        state = other.backbone.state_dict()
        if shared_there:
            self.backbone.load_shared(state)
        else:
            assert isinstance(self.backbone, ConditionalResNet18)
            rows = [aus.index(n) if n in aus.numbers else None for n in self.aus.numbers]
            self.backbone.load_conditions(state, rows)
        if (self.heads > 1) == (other.heads > 1):
            self._adopt_head(other, aus)

    @torch.no_grad()
    def _adopt_head(self, other: "RENet", aus: AUSet) -> None:
        common = [n for n in self.aus.numbers if n in aus.numbers]
        here = [self.aus.index(n) for n in common] if self.heads > 1 else [0]
        there = [aus.index(n) for n in common] if self.heads > 1 else [0]
        parts = [slice(0, 1)] * (self.occurrence and other.occurrence)
        parts += [slice(-LEVELS, None)] * (self.intensity and other.intensity)
        for own, given in zip(self.head.parameters(), other.head.parameters(), strict=True):
            mine = own.view(self.heads, self.outputs, -1)
            for part in parts:
                mine[here, part] = given.view(other.heads, other.outputs, -1)[there, part]

    def start_from(self, source: str) -> None:
        """Start the backbone from the one source, its ImageNet weights, downloaded once.

        Raises:
            RecipeError: the backbone has another width.
            UserError: they are neither on disk nor to be had.
        """
        self.backbone.load_published()


def _check_sizes(size: int, align: int, width: int) -> None:
    if not 32 <= size <= align:
        raise RecipeError(f"size: expected 32 to align ({align}) pixels, got {size}")
    if width < 8:  # PyTorch's CPU kernels were seen to corrupt memory below that, channels last
        raise RecipeError(f"width: expected 8 channels or more, got {width}")


def _check_aus(
    aus: AUSet,
    relation: str,
    train_aus: str | int,
    head: str,
    held_out: Sequence[int],
    unit_affine: bool,
) -> None:
    foreign = [n for n in held_out if n not in aus.numbers]
    if foreign:
        raise RecipeError(f"held_out: AUs {foreign} are not among the AUs {list(aus.numbers)}")
    if held_out and relation in {"none", "identity"}:
        raise RecipeError(f"held_out needs a relation: relation={relation} lends no parameters")
    if held_out and head == "own":
        raise RecipeError("held_out needs head=shared: an output of its own is never trained")
    if unit_affine and relation != "none" and head != "own":
        raise RecipeError("unit_affine needs head=own: with a shared one all AUs read alike")
    left = len(aus) - len(set(held_out))
    if not left:
        raise RecipeError("held_out: at least one AU must be trained")
    if isinstance(train_aus, int) and not 1 <= train_aus <= left:
        raise RecipeError(f"train_aus: {left} AUs are trained, so {train_aus} cannot be drawn")
