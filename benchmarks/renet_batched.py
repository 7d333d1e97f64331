"""RE-Net, 12 AUs, one face: one batched pass against twelve separate ones.

Prints milliseconds and ratios, in float32 and, where the processor multiplies it, bfloat16:

    python benchmarks/renet_batched.py [--threads 2] [--repeats 20] [--size 224]

The baseline is a ResNet-18 of torchvision for each AU, all with the same convolutions and each with
its own batch norms; one of them alone is what a single pass costs.
"""

import argparse

import torch
from torch import Tensor, nn
from torchvision.models import resnet18

from actionunits import aus
from actionunits.models.registry import blank_stats
from actionunits.models.renet import RENet
from actionunits.system.device import fast_dtype
from timing import milliseconds

COUNT = len(aus.BP4D12)


def network_of(model: RENet, position: int) -> nn.Module:
    """The ResNet-18 of one AU by itself, with plain batch norms and the same convolutions."""
    mix, state = model.mixing(), {"fc.weight": model.head.weight, "fc.bias": model.head.bias}
    with torch.device("meta"):
        network = resnet18(num_classes=1)
    ours = dict(model.backbone.named_modules())
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            state[f"{name}.weight"] = ours[name].weight
        elif isinstance(module, nn.BatchNorm2d):
            state[f"{name}.weight"] = (mix @ ours[name].gamma)[position]
            state[f"{name}.bias"] = (mix @ ours[name].beta)[position]
            state[f"{name}.running_mean"] = ours[name].running_mean[position]
            state[f"{name}.running_var"] = ours[name].running_var[position]
            state[f"{name}.num_batches_tracked"] = torch.zeros((), dtype=torch.int64)
    network.load_state_dict(state, assign=True)
    return network.eval()


def measure(model: RENet, image: Tensor, dtype: torch.dtype, repeats: int) -> None:
    """Print one table."""
    networks = [network_of(model, position) for position in range(COUNT)]
    lower = dtype != torch.float32
    with torch.inference_mode(), torch.autocast("cpu", dtype, enabled=lower):
        cases = {
            "twelve separate passes": lambda: torch.cat([n(image) for n in networks], 1),
            "one batched pass": lambda: model(image).logits,
            "plain ResNet-18": lambda: networks[0](image),
        }
        values = [case() for case in cases.values()]
        once = milliseconds(cases, repeats)
    difference = (values[0] - values[1]).abs().max() / values[0].abs().max()
    apart, batched, plain = once.values()
    print(f"{str(dtype).removeprefix('torch.')}, {COUNT} AUs, batch 1, {image.shape[-1]} px:")
    for name, value in once.items():
        print(f"  {name:24s}{value:8.1f} ms")
    print(f"  batched is {apart / batched:.2f} times as fast as twelve separate passes,")
    print(f"  and costs {batched / plain:.2f} plain passes; results differ by {difference:.1e}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--size", type=int, default=224)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    model = RENet(aus.BP4D12, blank_stats(COUNT), size=options.size, align=options.size, spread=0.3)
    image = torch.randn(1, 3, options.size, options.size)
    model.eval().to(memory_format=torch.channels_last)
    image = image.contiguous(memory_format=torch.channels_last)
    for dtype in dict.fromkeys((torch.float32, fast_dtype())):
        measure(model, image, dtype, options.repeats)


if __name__ == "__main__":
    main()
