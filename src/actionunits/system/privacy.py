"""Nothing of the user's leaves the machine: libraries that report home are told not to.

ONNX Runtime sends its maker an identifier of the machine, which it stores, and what models are run
(since 1.29 on Linux and macOS; on Windows the system collects it). It reads whether it may when it
is first imported, so this comes before all other modules of the package. Who has set one of these
variables himself has it as he set it.
"""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnxruntime

SILENT: Mapping[str, str] = {
    "ORT_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
}
"""Variables of the environment, which processes that are started from here inherit."""

for _name, _value in SILENT.items():
    os.environ.setdefault(_name, _value)


def onnx_session(
    model: bytes | str | os.PathLike[str], options: "onnxruntime.SessionOptions | None" = None
) -> "onnxruntime.InferenceSession":
    """ONNX Runtime on the processor, which keeps what it runs to itself on Windows too.

    Args:
        model: a file, or what is in one.
        options: of the session.
    """
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
