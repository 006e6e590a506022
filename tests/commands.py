"""The command `pagewash` many times over, each a process of its own, without loading it each time.

A server that has loaded everything forks for each command. Run as a script it is that server.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

MOST = 65536
"""Bytes of a question, at most."""


class Commands:
    """Begins commands, and waits for them; `serve_commands` makes one."""

    def __init__(self, server: socket.socket) -> None:
        self._server = server

    def begin(self, *arguments: object, log: Path, **environment: str) -> int:
        """Begin a command; returns its process, which anyone may kill."""
        with Path(os.devnull).open("rb") as nothing, log.open("ab") as file:
            streams = (nothing.fileno(), file.fileno(), file.fileno())
            return self.begin_on(streams, *arguments, **environment)

    def begin_on(
        self, streams: tuple[int, int, int], *arguments: object, **environment: str
    ) -> int:
        """Begin a command whose standard input, output and error are these descriptors."""
        words = [str(argument) for argument in arguments]
        return self._ask({"begin": words, "environment": environment}, streams)

    def wait(self, process: int) -> int:
        """Wait for its end; returns the exit code, or the signal's number below 0."""
        return self._ask({"wait": process})

    def run(self, *arguments: object, log: Path, **environment: str) -> int:
        """Both."""
        return self.wait(self.begin(*arguments, log=log, **environment))

    def pipe(
        self, *arguments: object, stdin: bytes = b"", **environment: str
    ) -> "subprocess.CompletedProcess[bytes]":
        """Run a command between two pipes, as in a shell's pipeline."""
        reads, writes = os.pipe(), os.pipe()
        with tempfile.TemporaryFile() as errors:
            streams = (reads[0], writes[1], errors.fileno())
            process = self.begin_on(streams, *arguments, **environment)
            os.close(reads[0])
            os.close(writes[1])
            with os.fdopen(reads[1], "wb") as file:
                file.write(stdin)
            with os.fdopen(writes[0], "rb") as file:
                out = file.read()
            code = self.wait(process)
            errors.seek(0)
            return subprocess.CompletedProcess(arguments, code, out, errors.read())

    def _ask(self, question: dict[str, Any], streams: Sequence[int] = ()) -> int:
        socket.send_fds(self._server, [json.dumps(question).encode()], streams)
        return int(json.loads(self._server.recv(MOST)))


@contextmanager
def serve_commands(**environment: str) -> Iterator[Commands]:
    """A server, for as long as the block; one thread of torch, as many runs share the machine."""
    quiet = {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    ours, theirs = socket.socketpair()
    with ours, theirs:
        server = subprocess.Popen(
            [sys.executable, __file__, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env=os.environ | quiet | environment,
        )
        try:
            yield Commands(ours)
        finally:
            server.kill()
            server.wait()


def _serve(asked: socket.socket) -> None:
    import pagewash.cleaning.cleaner  # noqa: F401 - which brings torch, and is imported late
    from pagewash.flows.cli import main

    while True:
        data, streams, _, _ = socket.recv_fds(asked, MOST, 3)
        if not data:  # the tests have ended
            return
        question = json.loads(data)
        if "wait" in question:
            _, status = os.waitpid(question["wait"], 0)
            answer = os.waitstatus_to_exitcode(status)
        else:
            answer = os.fork()
            if answer == 0:
                asked.close()
                _become_command(question["environment"], streams)
                code = main(question["begin"])
                sys.stdout.flush()
                os._exit(code)
        for stream in streams:
            os.close(stream)
        asked.send(json.dumps(answer).encode())


def _become_command(environment: dict[str, str], streams: Sequence[int]) -> None:
    """Take over what a process of its own would begin with."""
    os.environ |= environment
    tempfile.tempdir = None  # to be looked up again
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    how: Any = {"encoding": os.environ.get("PYTHONIOENCODING", "utf-8"), "closefd": False}
    sys.stdin, sys.stdout = os.fdopen(0, **how), os.fdopen(1, "w", **how)
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", **how)
    # where the tests run under nohup, a command would ignore what it is to end by
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
