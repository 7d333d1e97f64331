"""Stage 1 of GTLE-Net: a global encoder of expressions, learned from triplets or from classes.

An et al., *Global-to-local Expression-aware Embeddings for Facial Action Unit Detection* (2022),
section 3.2; equation and table numbers are the paper's. Stage 2 is in `gtlenet` and takes over the
encoder that is learned here.
"""

from pathlib import Path

from torch import Tensor, nn
from torch.nn import functional

from actionunits.errors import RecipeError
from actionunits.models.registry import register
from actionunits.nn.backbone import load_mapped, read_state
from actionunits.nn.inception_resnet import (
    InceptionEncoder,
    InceptionTail,
    he_normal,
    published_name,
)
from actionunits.types import ClassBatch, Classes, Embedding, InputSpec, TripletBatch

# Pixels on -1..1: what Inception-ResNet-v1 is trained on, and the range in which stage 2
# reconstructs the picture.
HALF = (0.5, 0.5, 0.5)


class TripletLoss:
    """Triplet loss, Eq. (1), averaged over the triplets.

    With squared distances d between unit vectors, A and P the similar faces and N the odd one:
    ``max(0, d(A, P) - d(A, N) + m) + max(0, d(A, P) - d(P, N) + m)``. The margin m of a triplet is
    part of the data.
    """

    terms = ("triplet",)
    needs = ()

    def __call__(self, out: Embedding, batch: TripletBatch) -> dict[str, Tensor]:
        """Return the scalar term."""
        anchor, positive, negative = out.vectors.float().unbind(1)  # (B, D) each
        similar = (anchor - positive).square().sum(-1)
        to_anchor = (anchor - negative).square().sum(-1)
        to_positive = (positive - negative).square().sum(-1)
        first = functional.relu(similar - to_anchor + batch.margin)
        second = functional.relu(similar - to_positive + batch.margin)
        return {"triplet": (first + second).mean()}


class ClassLoss:
    """Cross-entropy over the expression classes, averaged over the faces."""

    terms = ("classes",)
    needs = ()

    def __call__(self, out: Classes, batch: ClassBatch) -> dict[str, Tensor]:
        """Return the scalar term."""
        return {"classes": functional.cross_entropy(out.logits.float(), batch.labels)}


class _ExpressionModel(nn.Module):
    """Inception-ResNet-v1 and one linear layer."""

    def __init__(self, outputs: int, size: int, align: int, width: int) -> None:
        super().__init__()
        if not 32 <= size <= align:
            raise RecipeError(f"size: expected 32 to align ({align}) pixels, got {size}")
        self.spec = InputSpec(size, align, HALF, HALF)
        self.encoder = InceptionEncoder(width=width)
        self.tail = InceptionTail(width=width)
        self.head = nn.Linear(self.tail.channels, outputs)
        he_normal(self.head)

    def start_from_file(self, file: Path) -> None:
        """Take over all but the linear layer from published weights of Inception-ResNet-v1.

        Raises:
            CheckpointError: the file cannot be read, or holds another architecture.
        """
        body = nn.ModuleDict({"encoder": self.encoder, "tail": self.tail})
        load_mapped(body, read_state(file), published_name, file)


@register("expression_similarity", TripletLoss, task="triplets")
class ExpressionSimilarity(_ExpressionModel):
    """Embedding in which similar expressions lie close to each other (section 3.2, Figure 3).

    Args:
        size: side of the crop that the model sees, in pixels.
        align: side of the aligned face that the crop is taken from.
        dimensions: D, of the embedding; 16 in the paper.
        width: channels of the first convolution of Inception-ResNet-v1, 32 as published.

    Raises:
        RecipeError: a setting has a value that it cannot have.
    """

    def __init__(
        self, *, size: int = 256, align: int = 256, dimensions: int = 16, width: int = 32
    ) -> None:
        if dimensions < 2:  # one number of unit length is a sign
            raise RecipeError(f"dimensions: expected 2 or more, got {dimensions}")
        super().__init__(dimensions, size, align, width)

    def forward(self, images: Tensor) -> Embedding:
        """Embed triplets of faces.

        Args:
            images: (B, 3, 3, size, size), three pictures each, normalised.

        Returns:
            ``vectors`` (B, 3, D) of unit length.
        """
        vectors = self.embed(images.flatten(0, 1))
        return Embedding(vectors.view(-1, 3, vectors.shape[-1]))

    def embed(self, images: Tensor) -> Tensor:
        """Embed single faces, (N, 3, size, size) to (N, D) of unit length in float32."""
        vectors = self.head(self.tail(self.encoder(images)))
        return functional.normalize(vectors.float(), dim=-1)


@register("expression_classes", ClassLoss, task="classes")
class ExpressionClasses(_ExpressionModel):
    """Classifier of expressions: the encoder of Table 6's row "w. GEE Emotion".

    Args:
        size: side of the crop that the model sees, in pixels.
        align: side of the aligned face that the crop is taken from.
        classes: C; 7 in the paper: neutral, happy, sad, surprise, fear, disgust, angry.
        width: channels of the first convolution of Inception-ResNet-v1, 32 as published.

    Raises:
        RecipeError: a setting has a value that it cannot have.
    """

    def __init__(
        self, *, size: int = 256, align: int = 256, classes: int = 7, width: int = 32
    ) -> None:
        if classes < 2:
            raise RecipeError(f"classes: expected 2 or more, got {classes}")
        super().__init__(classes, size, align, width)

    def forward(self, images: Tensor) -> Classes:
        """Map (B, 3, size, size) normalised faces to ``logits`` (B, C)."""
        return Classes(self.head(self.tail(self.encoder(images))))
