"""Backbones from timm up to their pooled features, in the place of a `ConditionalResNet18`."""

from collections.abc import Mapping
from typing import Any

import timm
from torch import Tensor, nn

from actionunits.errors import RecipeError, UserError
from actionunits.nn.resnet import Conditions


class Pooled(nn.Module):
    """A backbone of timm without its classifier; it knows one condition.

    Attributes:
        name: that of the constructor.
        features: of a picture.

    Args:
        name: as timm calls it; a tag after a dot says which weights: ``resnet50.tv_in1k``.
        size: side of the pictures, for those that are built for one.
        pretrained: with the weights of that name, downloaded once.

    Raises:
        RecipeError: timm has no such backbone, or not for pictures of that size.
        UserError: the weights are neither on disk nor to be had.
    """

    def __init__(self, name: str, *, size: int, pretrained: bool = False) -> None:
        super().__init__()
        self.name, self._size = name, size
        if not timm.is_model(name):
            raise RecipeError(f"backbone: timm has no model {name!r}; see timm.list_models()")
        published: Any = timm.get_pretrained_cfg(name)
        settings: dict[str, Any] = {"num_classes": 0}
        if published and published.fixed_input_size:
            settings["img_size"] = size
        try:
            net: Any = timm.create_model(name, pretrained=pretrained, **settings)
        except OSError as error:
            raise UserError(
                f"the weights of {name} are not on disk and cannot be downloaded: connect once, or "
                "train without them"
            ) from error
        except (RuntimeError, AssertionError, TypeError, ValueError) as error:
            raise RecipeError(f"backbone: {name} cannot be had at {size} px ({error})") from error
        self.net: nn.Module = net
        self.features = int(getattr(net, "head_hidden_size", net.num_features))

    def forward(self, images: Tensor, conditions: Conditions) -> Tensor:
        """Map (B, 3, H, W) to (B, 1, features), whatever the one condition."""
        pooled: Tensor = self.net(images)
        return pooled[:, None]

    def load_shared(self, state: Mapping[str, Tensor]) -> None:
        """Take over the weights of another backbone of this name."""
        self.load_state_dict(state)

    def load_published(self) -> None:
        """Start from the weights of its name.

        Raises:
            UserError: they are neither on disk nor to be had.
        """
        self.load_shared(Pooled(self.name, size=self._size, pretrained=True).state_dict())
