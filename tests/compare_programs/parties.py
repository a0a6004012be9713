"""Who takes part in a run: nodes, other processes, and connections to a node. Each
has a transcript, which can be waited for and is compared."""

import base64
import ctypes
import os
import re
import signal
import socket
import subprocess
import threading
import time

from log import MARK, NodeLog
from side import LOG

_LOOK = 0.01


_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)


def die_with_parent():
    """Has the system kill this process when its parent dies: no node outlives a
    harness that was killed."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


class Late(Exception):
    """Something that was waited for has not come in time."""


def wait_until(condition, seconds, what):
    """Returns the condition's first true value. Raises Late, with `what`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Late(f"{what}: not within {seconds:g} s")
        time.sleep(_LOOK)


def listening(port):
    """Whether a socket listens on a TCP port, seen without connecting to it."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(table, encoding="ascii") as file:
                rows = [line.split() for line in file.readlines()[1:]]
        except FileNotFoundError:
            continue
        if any(row[3] == "0A" and int(row[1].rsplit(":", 1)[1], 16) == port for row in rows):
            return True
    return False


class Party:
    """`text()` is its transcript so far."""

    def text(self):
        raise NotImplementedError

    def alive(self):
        """Whether more can come."""
        raise NotImplementedError

    def await_line(self, pattern, count, seconds):
        """Waits until a line, or a part of one, has come `count` times."""
        search = re.compile(pattern, re.MULTILINE)

        def seen():
            alive = self.alive()
            times = sum(1 for _ in search.finditer(self.text()))
            if times < count and not alive:
                raise Late(f"/{pattern}/: {times} of {count} times, then {self.name} ended")
            return times >= count

        wait_until(seen, seconds, f"/{pattern}/ {count} times from {self.name}")


class Process(Party):
    """A process of its own group, in a directory of its own."""

    def __init__(self, name, command, directory):
        self.name = name
        self.directory = directory
        self.output = directory / f"{name}.stdout"
        self.errors = directory / f"{name}.stderr"
        with open(self.output, "wb") as output, open(self.errors, "wb") as errors:
            self.process = subprocess.Popen(
                command, cwd=directory, stdin=subprocess.PIPE, stdout=output, stderr=errors,
                start_new_session=True, preexec_fn=die_with_parent)

    def text(self):
        return _read(self.output)

    def alive(self):
        return self.process.poll() is None

    def send(self, text):
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def signal(self, name):
        self.process.send_signal(getattr(signal, f"SIG{name}"))

    def await_end(self, seconds):
        """Its exit code."""
        wait_until(lambda: not self.alive(), seconds, f"end of {self.name}")
        return self.process.returncode

    def close(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass


class Node(Process):
    """A skynet node. Its transcript is its log, with services' names for addresses."""

    def __init__(self, name, executable, config, directory, masks):
        self.masks = masks
        (directory / "config").write_text(config)
        super().__init__(name, [str(executable), "config"], directory)

    @property
    def file(self):
        """Where its log is: in the file, or on standard output for other loggers."""
        log = self.directory / LOG
        return log if log.exists() else self.output

    def log(self):
        return NodeLog(_read(self.file), self.masks)

    def text(self):
        return self.log().text()

    def mark(self, seconds):
        """Waits until all that has been logged so far is written."""
        (self.directory / "compare_mark").touch()
        wait_until(lambda: MARK in _read(self.file) or not self.alive(), seconds,
                   f"mark in the log of {self.name}")

    def abort(self, seconds):
        """Ends the node. Its exit code."""
        (self.directory / "compare_abort").touch()
        return self.await_end(seconds)


class Connection(Party):
    """A TCP connection. Its transcript is what came in; `[closed]` is its end."""

    def __init__(self, name, port, seconds):
        self.name = name
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=seconds)
        self.received = b""
        self.ended = False
        self.socket.settimeout(None)
        self.begin()
        self.reader = threading.Thread(target=self._read_all, daemon=True)
        self.reader.start()

    def begin(self):
        """What goes before the transcript."""

    def _read_all(self):
        try:
            while piece := self.socket.recv(65536):
                self.take(piece)
            self.received += b"[closed]"
        except OSError as error:
            self.received += f"[{type(error).__name__}]".encode()
        self.ended = True

    def take(self, piece):
        self.received += piece

    def text(self):
        return self.received.decode(errors="backslashreplace").replace("\r\n", "\n")

    def alive(self):
        return not self.ended

    def send(self, text):
        self.socket.sendall(text.encode())

    def await_end(self, seconds):
        wait_until(lambda: self.ended, seconds, f"end of {self.name}")
        return 0

    def finish(self):
        """Says that nothing more will be sent."""
        self.socket.shutdown(socket.SHUT_WR)

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.reader.join(1)
        self.socket.close()


class WebSocket(Connection):
    """A WebSocket client (RFC 6455) of whole, short frames. Its transcript has the
    server's frames, one a line: the kind, then the text."""

    KINDS = {1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong"}

    def __init__(self, name, port, path, seconds):
        self.path, self.port = path, port
        self.pending = b""
        super().__init__(name, port, seconds)

    def begin(self):
        key = base64.b64encode(os.urandom(16)).decode()
        super().send(f"GET {self.path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n"
                     f"Upgrade: websocket\r\nConnection: Upgrade\r\n"
                     f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n")
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            piece = self.socket.recv(1)
            if not piece:
                break
            answer += piece
        self.received += answer.split(b"\r\n")[0] + b"\n"

    def take(self, piece):
        self.pending += piece
        while len(self.pending) >= 2 and len(self.pending) >= 2 + self.pending[1]:
            kind, size = self.pending[0] & 15, self.pending[1]
            body, self.pending = self.pending[2:2 + size], self.pending[2 + size:]
            name = self.KINDS.get(kind, str(kind))
            if name == "close" and len(body) >= 2:
                body = str(int.from_bytes(body[:2], "big")).encode() + body[2:]
            self.received += f"{name} ".encode() + body + b"\n"

    def send(self, text):
        """`kind text`, or the text alone."""
        kind, _, rest = text.partition(" ")
        kinds = {name: number for number, name in self.KINDS.items()}
        number, body = (kinds[kind], rest) if kind in kinds else (1, text)
        data = body.encode()
        if number == 8:
            data = (1000).to_bytes(2, "big") + data
        mask = os.urandom(4)
        frame = bytes([0x80 | number, 0x80 | len(data)]) + mask
        self.socket.sendall(frame + bytes(c ^ mask[i % 4] for i, c in enumerate(data)))


def _read(path):
    text = path.read_bytes().decode(errors="backslashreplace")
    return text[:text.rfind("\n") + 1]
