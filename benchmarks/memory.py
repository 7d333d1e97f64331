"""Peak memory of `au detect` on a video of a minute and on one of hours.

The long one is the short one again and again, its packets copied, so that it takes seconds to make.
Each is read by the whole command in a process of its own, without PyTorch, into Parquet; what is
measured are the peaks of that process and of the one that decodes for it.

    python benchmarks/memory.py [--minutes 120] [--width 320] [--height 180]
        [--model default] [--overlay | --blur]

The third line says how many times as much as for a minute.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import av
import psutil

from clips import portrait_clip

_RATE = 25  # frames a second
_LOOK_EVERY = 0.25  # seconds


def looped(clip: Path, out: Path, times: int) -> Path:
    """Write the packets of a clip so many times over, one after the other."""
    with av.open(str(clip)) as source, av.open(str(out), "w") as copy:
        stream = source.streams.video[0]
        written = copy.add_stream_from_template(stream)
        length = stream.duration
        for turn in range(times):
            source.seek(0)
            for packet in source.demux(stream):
                if packet.dts is None:  # the end
                    continue
                packet.pts += turn * length
                packet.dts += turn * length
                packet.stream = written
                copy.mux(packet)
    return out


def peaks(video: Path, model: str, drawn: list[str]) -> tuple[float, float]:
    """Read a video; peaks in MiB of the process that reads and of the one that decodes."""
    command = [sys.executable, "-m", "actionunits", "detect", str(video)]
    command += ["--model", model, "--runtime", "onnx", "--out", str(video.with_suffix(".parquet"))]
    if drawn:
        command += ["--overlay", str(video.with_name(f"{video.stem}-seen.mp4")), *drawn[1:]]
    reader = psutil.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    most = [0.0, 0.0]
    while reader.poll() is None:
        for place, processes in enumerate(([reader], reader.children())):
            resident = sum(map(_resident, processes)) / 2**20
            most[place] = max(most[place], resident)
        time.sleep(_LOOK_EVERY)
    if reader.returncode:
        raise SystemExit(reader.stderr.read())
    return most[0], most[1]


def _resident(process: psutil.Process) -> int:
    try:
        return process.memory_info().rss
    except psutil.Error:  # it has just ended
        return 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=int, default=120, help="of the long video")
    parser.add_argument("--width", type=int, default=320, help="pixels")
    parser.add_argument("--height", type=int, default=180, help="pixels")
    parser.add_argument("--model", default="default", help="weights")
    drawn = parser.add_mutually_exclusive_group()
    drawn.add_argument(
        "--overlay",
        dest="drawn",
        action="store_const",
        const=["--overlay"],
        default=[],
        help="write the annotated video too",
    )
    drawn.add_argument(
        "--blur",
        dest="drawn",
        action="store_const",
        const=["--overlay", "--blur"],
        help="and hide the heads in it",
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        minute = portrait_clip(
            Path(folder) / "1.mp4", 60 * _RATE, _RATE, options.width, options.height
        )
        long = looped(minute, Path(folder) / f"{options.minutes}.mp4", options.minutes)
        found = []
        for video, minutes in ((minute, 1), (long, options.minutes)):
            began = time.perf_counter()
            found.append(peaks(video, options.model, options.drawn))
            read, decoded = found[-1]
            frames = 60 * _RATE * minutes
            rate = frames / (time.perf_counter() - began)
            print(
                f"{minutes:4d} min {frames:7d} frames, peak {read:6.1f} MiB, decoder "
                f"{decoded:6.1f} MiB, {rate:.0f} frames/s",
                flush=True,
            )
        ratios = [after / before for before, after in zip(*found, strict=True)]
        print(f"ratio {ratios[0]:.3f}, decoder {ratios[1]:.3f}")


if __name__ == "__main__":
    main()
