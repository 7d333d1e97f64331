"""Run the command as if only what `pip install actionunits` brings were there."""

import sys

MISSING = {
    *("accelerate", "h5py", "matplotlib", "onnxscript", "safetensors", "scipy", "skimage"),
    *("sklearn", "timm", "torch", "torchmetrics", "torchvision"),
}

if __name__ == "__main__":
    sys.modules.update(dict.fromkeys(MISSING))  # Python then finds none of them
    from actionunits.cli import main

    main()
