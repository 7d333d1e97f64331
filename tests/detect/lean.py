"""Run the command as if only what `pip install actionunits` brings were there."""

import sys
from importlib.machinery import ModuleSpec

MISSING = {
    *("accelerate", "h5py", "matplotlib", "onnxscript", "safetensors", "scipy", "skimage"),
    *("sklearn", "timm", "torch", "torchmetrics", "torchvision"),
}


class Missing:
    """Finds none of these."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name.partition(".")[0] in MISSING:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None


if __name__ == "__main__":
    sys.meta_path.insert(0, Missing())
    from actionunits.cli import main

    main()
