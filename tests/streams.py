"""Servers on this machine that send what cameras on a network send: importable from any test."""

import io
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import av
import numpy as np
from PIL import Image

Handler = Callable[[BaseHTTPRequestHandler], None]


def jpeg(shade: int, size: tuple[int, int] = (64, 48)) -> bytes:
    """A gray picture."""
    data = io.BytesIO()
    Image.new("RGB", size, (shade,) * 3).save(data, "JPEG")
    return data.getvalue()


@contextmanager
def web(answer: Handler) -> Iterator[str]:
    """The address of a server that answers so."""

    class Server(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            try:
                answer(self)
            except ConnectionError:  # who asked has left
                self.close_connection = True

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def whole(content: bytes) -> Handler:
    """Answers with a file, from where it is asked for."""

    def answer(asked: BaseHTTPRequestHandler) -> None:
        start = int(re.sub(r"\D", "", asked.headers.get("Range", "0")) or 0)
        asked.send_response(206 if start else 200)
        asked.send_header("Content-Length", str(len(content) - start))
        asked.end_headers()
        asked.wfile.write(content[start:])

    return answer


def moving(shades: list[int], apart: float = 0.02, *, ends: bool = True) -> Handler:
    """Answers with pictures one after another (MJPEG), and says that it is over if it `ends`."""

    def answer(asked: BaseHTTPRequestHandler) -> None:
        asked.send_response(200)
        asked.send_header("Content-Type", "multipart/x-mixed-replace; boundary=b")
        asked.end_headers()
        for shade in shades:
            picture = jpeg(shade)
            head = f"--b\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
            asked.wfile.write(head.encode() + picture + b"\r\n")
            time.sleep(apart)
        if ends:
            asked.wfile.write(b"--b--\r\n")

    return answer


_SDP = (
    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n"
    "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:video\r\n"
)


def h264(shades: list[int], rate: int) -> list[list[bytes]]:
    """Units of each of these gray pictures, small enough for a packet each."""
    coder = av.CodecContext.create("libx264", "w")
    coder.width, coder.height, coder.pix_fmt = 64, 48, "yuv420p"
    coder.time_base, coder.framerate = Fraction(1, rate), Fraction(rate)
    coder.options = {"tune": "zerolatency", "g": "5", "x264-params": "repeat-headers=1"}
    frames = [np.full((48, 64, 3), shade, np.uint8) for shade in shades]
    coded = [coder.encode(av.VideoFrame.from_ndarray(each, "rgb24")) for each in frames]
    return [
        [
            unit.strip(b"\0")
            for p in packets
            for unit in bytes(p).split(b"\0\0\1")
            if unit.strip(b"\0")
        ]
        for packets in coded
    ]


@contextmanager
def rtsp(shades: list[int], rate: int = 25, answers: str = "") -> Iterator[str]:
    """The address of a server of RFC 2326 that plays these pictures within the connection.

    Args:
        shades: of the pictures; then it closes the connection.
        rate: pictures a second.
        answers: instead, to everything.
    """
    pictures = h264(shades, rate)

    def serve(line: socket.socket) -> None:
        with line, line.makefile("rb") as asked:
            while request := asked.readline():
                fields = {}
                while field := asked.readline().strip():
                    key, _, value = field.partition(b":")
                    fields[key.lower()] = value.strip().decode()
                method = request.split()[0].decode()
                body = _SDP if method == "DESCRIBE" else ""
                said = [answers or "RTSP/1.0 200 OK", f"CSeq: {fields[b'cseq']}", "Session: 1"]
                said += ["Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN"]
                said += (
                    ["Transport: RTP/AVP/TCP;unicast;interleaved=0-1"] if method == "SETUP" else []
                )
                said += ["Content-Type: application/sdp", f"Content-Length: {len(body)}"]
                line.sendall(("\r\n".join(said) + "\r\n\r\n" + body).encode())
                if method == "PLAY":
                    play(line)
                    return

    def play(line: socket.socket) -> None:
        number = 0
        for at, units in enumerate(pictures):
            for unit in units:
                last = unit is units[-1]
                head = struct.pack(
                    ">BBHII", 0x80, 96 | last << 7, number, 9000 + at * 90_000 // rate, 1
                )
                packet = head + unit
                line.sendall(b"$\0" + struct.pack(">H", len(packet)) + packet)
                number += 1
            time.sleep(1 / rate)

    def accept() -> None:
        with suppress(OSError):  # it is closed
            while True:
                threading.Thread(target=serve, args=(door.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as door:
        threading.Thread(target=accept, daemon=True).start()
        yield f"rtsp://127.0.0.1:{door.getsockname()[1]}/live"
