"""ResNet-18 whose batch norms depend on a condition, such as the AU that is looked for.

The convolutions are shared. An image is computed under K conditions at once: they are folded into
the batch, image by image, so that row ``b * K + k`` is image b under condition k.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from actionunits.errors import RecipeError, UserError
from actionunits.system.together import share, whole

# One image of 224 px under twelve conditions. Larger working sets leave the processor's cache and
# were measured slower than one condition after the other.
_FOLDED_PIXELS = 12 * 224 * 224


class Conditions(NamedTuple):
    """Which of the C conditions are computed, and from whose parameters.

    All K of them for every image, or, in training, one for each: then K is B.
    """

    rows: Tensor  # (K,) int64, the conditions
    affine: Tensor  # (K, C) weights that mix the scales and shifts of all conditions
    statistics: Tensor  # (K, C) weights that mix their running statistics
    one_each: bool = False  # image b is computed under condition b alone


class ConditionalNorm(nn.Module):
    """Batch norm with statistics, scale and shift for each condition: RE-Net's Eq. (4)-(5).

    Args:
        conditions: C.
        features: F, the channels.
        unit_affine: scale 1 and shift 0, not trained.
        spread: standard deviation of the scales about 1 and of the shifts about 0 at the start.
            Conditions that start alike get nearly the same gradients and part slowly.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(
        self, conditions: int, features: int, *, unit_affine: bool = False, spread: float = 0.0
    ) -> None:
        super().__init__()
        shape = (conditions, features)
        self.eps, self.momentum = 1e-5, 0.1
        gamma = torch.ones(shape) if unit_affine else 1 + spread * torch.randn(shape)
        beta = torch.zeros(shape) if unit_affine else spread * torch.randn(shape)
        self.gamma = nn.Parameter(gamma, requires_grad=not unit_affine)
        self.beta = nn.Parameter(beta, requires_grad=not unit_affine)
        self.register_buffer("running_mean", torch.zeros(shape))
        self.register_buffer("running_var", torch.ones(shape))

    def forward(self, x: Tensor, conditions: Conditions) -> Tensor:
        """Normalise (B * K, F, H, W), by the batch in training, else by running statistics."""
        count = len(conditions.rows)
        if not self.training:
            scale, shift = self.affine(conditions)
            folded = x.view(-1, count, *x.shape[1:])
            return torch.addcmul(shift.to(x.dtype), folded, scale.to(x.dtype)).flatten(0, 1)
        if conditions.one_each:
            return self._one_each(x, conditions)
        mean = self.running_mean[conditions.rows].flatten()
        var = self.running_var[conditions.rows].flatten()
        gamma, beta = (v.flatten() for v in self.mixed(conditions))
        channels = x.view(-1, count, *x.shape[1:]).flatten(1, 2)  # (B, K * F, H, W)
        y = functional.batch_norm(channels, mean, var, gamma, beta, True, self.momentum, self.eps)
        with torch.no_grad():
            self.running_mean[conditions.rows] = mean.view(count, -1)
            self.running_var[conditions.rows] = var.view(count, -1)
        return y.view(-1, count, *x.shape[1:]).flatten(0, 1)

    def _one_each(self, x: Tensor, conditions: Conditions) -> Tensor:
        """Normalise (B, F, H, W) by statistics over the images that share a condition.

        Those of all processes: what is called N below is B times their number.
        """
        rows = whole(conditions.rows)  # (N,)
        own = share(len(rows))
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        same = (rows[:, None] == rows).to(wide.dtype)
        shares = same / same.sum(1, keepdim=True)
        with torch.autocast(x.device.type, enabled=False):
            mean = shares @ whole(wide.mean((2, 3)))  # (N, F)
            centred = wide - mean[own, :, None, None]
            var = shares @ whole(centred.square().mean((2, 3)))
            gamma, beta = self.mixed(conditions)
            scale = gamma * (var[own] + self.eps).rsqrt()
        y = torch.addcmul(beta[:, :, None, None], centred, scale[:, :, None, None])
        values = same.sum(1, keepdim=True) * x[0, 0].numel()
        self._remember(rows, mean, var * values / (values - 1).clamp(min=1))
        return y.to(x.dtype)

    def shared(self, x: Tensor, conditions: Conditions) -> Tensor:
        """Normalise (B, F, H, W) that no condition has touched yet, without scale and shift.

        Its statistics in training are those of every condition.
        """
        mean, var = (torch.zeros_like(self.running_mean[0]) for _ in range(2))
        y = functional.batch_norm(x, mean, var, None, None, True, 1.0, self.eps)
        self._remember(conditions.rows, mean, var)
        return y

    @torch.no_grad()
    def _remember(self, rows: Tensor, mean: Tensor, var: Tensor) -> None:
        """Move the running statistics of these conditions towards those of a batch."""
        self.running_mean[rows] = self.running_mean[rows].lerp(mean, self.momentum)
        self.running_var[rows] = self.running_var[rows].lerp(var, self.momentum)

    def affine(self, conditions: Conditions) -> tuple[Tensor, Tensor]:
        """Return what the norm is in evaluation: scale and shift, each (K, F, 1, 1).

        Variances are mixed by their logarithm, because the weights may be negative and a variance
        may not.
        """
        gamma, beta = self.mixed(conditions)
        with torch.autocast(self.gamma.device.type, enabled=False):
            mean = conditions.statistics @ self.running_mean
            log_var = conditions.statistics @ (self.running_var + self.eps).log()
        scale = gamma * (-0.5 * log_var).exp()
        shift = beta - mean * scale
        return scale[:, :, None, None], shift[:, :, None, None]

    def mixed(self, conditions: Conditions) -> tuple[Tensor, Tensor]:
        """Gamma and beta of Eq. (5), each (K, F), in full precision whatever the images are in."""
        with torch.autocast(self.gamma.device.type, enabled=False):
            return conditions.affine @ self.gamma, conditions.affine @ self.beta


class Block(nn.Module):
    """Two 3x3 convolutions and a shortcut; `norm` builds a norm of so many channels."""

    def __init__(
        self, norm: Callable[[int], ConditionalNorm], inside: int, out: int, stride: int
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inside, out, 3, stride, padding=1, bias=False)
        self.bn1 = norm(out)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1, bias=False)
        self.bn2 = norm(out)
        self.downsample = nn.ModuleList()
        if stride != 1 or inside != out:
            self.downsample.append(nn.Conv2d(inside, out, 1, stride, bias=False))
            self.downsample.append(norm(out))

    def forward(self, x: Tensor, conditions: Conditions) -> Tensor:
        """Map (B * K, F, H, W) to (B * K, F', H / stride, W / stride)."""
        y = functional.relu_(self.bn1(self.conv1(x), conditions))
        y = self.bn2(self.conv2(y), conditions)
        if self.downsample:
            convolution, norm = self.downsample
            x = norm(convolution(x), conditions)
        return functional.relu_(y.add_(x))


class ConditionalResNet18(nn.Module):
    """ResNet-18 up to its pooled features; parameters are named as in torchvision.

    Attributes:
        name: says which weights fit.
        features: of a picture under a condition.

    Args:
        conditions: C, number of conditions that the norms know.
        width: channels of the first stage, 64 in the paper; the last has eight times as many.
        unit_affine: norms without trained scale and shift.
        spread: how far scales and shifts are apart at the start.
    """

    def __init__(
        self,
        conditions: int,
        *,
        width: int = 64,
        unit_affine: bool = False,
        spread: float = 0.0,
    ) -> None:
        super().__init__()

        def norm(features: int) -> ConditionalNorm:
            return ConditionalNorm(conditions, features, unit_affine=unit_affine, spread=spread)

        self.name, self.features = f"resnet18 of width {width}", 8 * width
        self.conv1 = nn.Conv2d(3, width, 7, 2, padding=3, bias=False)
        self.bn1 = norm(width)
        inside = width
        for stage in range(4):
            out, blocks = width << stage, nn.ModuleList()
            for stride in (1 if stage == 0 else 2, 1):
                blocks.append(Block(norm, inside, out, stride))
                inside = out
            self.add_module(f"layer{stage + 1}", blocks)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor, conditions: Conditions) -> Tensor:
        """Return the pooled features (B, K, features) of (B, 3, H, W) images."""
        if self.training or torch.compiler.is_exporting():  # an exported batch has no known size
            return self._features(images, conditions)
        chunk = max(1, _FOLDED_PIXELS // (len(conditions.rows) * images[0, 0].numel()))
        return torch.cat([self._features(part, conditions) for part in torch.split(images, chunk)])

    def _features(self, images: Tensor, conditions: Conditions) -> Tensor:
        x = self._stem(self.conv1(images), conditions)  # the only step before conditions part
        for stage in range(4):
            for block in self.get_submodule(f"layer{stage + 1}").children():
                x = block(x, conditions)
        count = 1 if conditions.one_each else len(conditions.rows)
        return x.mean((2, 3)).view(-1, count, self.features)

    def _stem(self, x: Tensor, conditions: Conditions) -> Tensor:
        """Norm, ReLU and 3x3 max-pool: (B, F, H, W) to (B * K, F, H / 2, W / 2).

        Scale and shift commute with pooling: the largest value becomes the largest where the scale
        is positive, the smallest does where it is negative. So the large map, which no condition
        has touched, is normalised and pooled once for all of them.
        """
        if self.training:
            x = self.bn1.shared(x, conditions)
            scale, shift = (v[:, :, None, None] for v in self.bn1.mixed(conditions))
        else:
            scale, shift = self.bn1.affine(conditions)
        scale, shift = scale.to(x.dtype), shift.to(x.dtype)
        highest = functional.max_pool2d(x, 3, 2, padding=1)
        lowest = -functional.max_pool2d(-x, 3, 2, padding=1)
        if not conditions.one_each:
            highest, lowest = highest[:, None], lowest[:, None]
        extreme = torch.where(scale > 0, highest, lowest)
        y = functional.relu_(torch.addcmul(shift, extreme, scale))
        return y if conditions.one_each else y.flatten(0, 1)

    def load_published(self) -> None:
        """Start from torchvision's ImageNet weights, downloaded once; call it on new weights.

        Raises:
            RecipeError: the network has another width.
            UserError: they are neither on disk nor to be had.
        """
        from torchvision.models import ResNet18_Weights  # slow, and wanted for this only

        if self.conv1.out_channels != 64:
            raise RecipeError("the ImageNet weights are those of width=64")
        try:
            state = ResNet18_Weights.IMAGENET1K_V1.get_state_dict(progress=False, check_hash=True)
        except OSError as error:
            raise UserError(
                "the ImageNet weights of ResNet-18 are not on disk and cannot be downloaded "
                f"({error}): connect once, or train without them"
            ) from error
        self.load_torchvision(state)

    @torch.no_grad()
    def load_torchvision(self, state: Mapping[str, Tensor]) -> None:
        """Take over the weights of torchvision's ResNet-18; its norms serve every condition.

        Call it on new weights: the conditions keep their spread about the given norms.

        Raises:
            RuntimeError: the weights do not fit, as those of another width do not.
        """
        renamed = {"weight": "gamma", "bias": "beta"}
        given = {}
        for key, value in state.items():
            if key.startswith("fc.") or key.endswith("num_batches_tracked"):
                continue
            path, _, last = key.rpartition(".")
            if value.ndim == 1:
                given[f"{path}.{renamed.get(last, last)}"] = value[None]
            else:
                given[key] = value
        self.load_shared(given)

    def torchvision_state(self) -> dict[str, Tensor]:
        """Weights under the names of torchvision's ResNet-18, of a network with one condition.

        Raises:
            RecipeError: its norms differ from condition to condition.
        """
        if len(self.bn1.gamma) > 1:
            raise RecipeError("init: expected shared norms, found one for each AU")
        renamed = {"gamma": "weight", "beta": "bias"}
        given = {}
        for key, value in self.state_dict().items():
            path, _, last = key.rpartition(".")
            given[f"{path}.{renamed.get(last, last)}"] = value[0] if value.ndim == 2 else value
        return given

    @torch.no_grad()
    def load_shared(self, state: Mapping[str, Tensor]) -> None:
        """Take over the weights of a network with one condition; its norms serve every condition.

        Call it on new weights: the conditions keep their spread about the given norms.

        Raises:
            RuntimeError: the weights do not fit, as those of another width do not.
        """
        own, given = self.state_dict(), {}
        for key, value in state.items():
            if key.endswith(".gamma"):
                given[key] = own[key] * value
            elif key.endswith(".beta"):
                given[key] = own[key] + value
            else:
                given[key] = value.expand_as(own[key])
        self.load_state_dict(given)

    @torch.no_grad()
    def load_conditions(self, state: Mapping[str, Tensor], source: list[int | None]) -> None:
        """Take over another network's weights, for each condition those of one of its conditions.

        Args:
            state: of the other network.
            source: for each condition its row in `state`, or None to leave its norms as they are.

        Raises:
            RuntimeError: the weights do not fit, as those of another width do not.
        """
        own = self.state_dict()
        here = [i for i, row in enumerate(source) if row is not None]
        there = [row for row in source if row is not None]
        norms = (".gamma", ".beta", ".running_mean", ".running_var")
        for key, value in state.items():
            if key.endswith(norms):
                own[key][here] = value[there]
            else:
                own[key] = value
        self.load_state_dict(own)
