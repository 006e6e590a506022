"""The command `pagewash` many times over, each a process of its own, without loading it each time.

A server that has loaded everything forks for each command. Run as a script it is that server.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class Commands:
    """Begins commands, and waits for them; `serve_commands` makes one."""

    def __init__(self, server: "subprocess.Popen[str]") -> None:
        self._server = server

    def begin(self, *arguments: object, log: Path, **environment: str) -> int:
        """Begin a command; returns its process, which anyone may kill."""
        words = [str(argument) for argument in arguments]
        return self._ask({"begin": words, "log": str(log), "environment": environment})

    def wait(self, process: int) -> int:
        """Wait for its end; returns the exit code, or the signal's number below 0."""
        return self._ask({"wait": process})

    def run(self, *arguments: object, log: Path, **environment: str) -> int:
        """Both."""
        return self.wait(self.begin(*arguments, log=log, **environment))

    def _ask(self, question: dict[str, Any]) -> int:
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps(question) + "\n")
        self._server.stdin.flush()
        return int(json.loads(self._server.stdout.readline()))


@contextmanager
def serve_commands(**environment: str) -> Iterator[Commands]:
    """A server, for as long as the block; one thread of torch, as many runs share the machine."""
    quiet = {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    with subprocess.Popen(
        [sys.executable, __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | quiet | environment,
    ) as server:
        try:
            yield Commands(server)
        finally:
            server.kill()


def _serve() -> None:
    import pagewash.cleaning.cleaner  # noqa: F401 - which brings torch, and is imported late
    from pagewash.flows.cli import main

    for line in sys.stdin:
        question = json.loads(line)
        if "wait" in question:
            _, status = os.waitpid(question["wait"], 0)
            answer = os.waitstatus_to_exitcode(status)
        else:
            answer = os.fork()
            if answer == 0:
                os.environ |= question["environment"]
                log = os.open(question["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
                for number in (1, 2):
                    os.dup2(log, number)
                code = main(question["begin"])
                sys.stdout.flush()
                os._exit(code)
        print(answer, flush=True)


if __name__ == "__main__":
    _serve()
