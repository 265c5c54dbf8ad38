"""Workers: processes that judge inputs and that the run survives."""

from __future__ import annotations

import multiprocessing
import resource
import signal
import sys
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

from tests.fuzz.cases import Case, case
from tests.fuzz.corpus import right_bases
from tests.fuzz.judge import SECONDS, Verdict, judge

BATCH = 250
MEMORY = 1 << 30  # bytes that a worker may take beyond what it started with
SILENCE = 6 * SECONDS  # seconds after which a worker that says nothing is ended
Judge = Callable[[Case], Verdict]


@dataclass
class Tally:
    """What became of many inputs."""

    outcomes: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    ways: Counter[tuple[str, str]] = field(default_factory=Counter)  # way, outcome
    violations: dict[int, str] = field(default_factory=dict)  # by number of input

    def count(self, index: int, way: str, verdict: Verdict) -> None:
        """Counts one input."""
        self.outcomes[verdict.outcome] += 1
        self.ways[way, verdict.outcome] += 1
        self.codes.update(set(verdict.codes))
        if verdict.violation:
            self.violations[index] = verdict.violation

    def add(self, other: Tally) -> None:
        """Counts what another has counted."""
        self.outcomes += other.outcomes
        self.codes += other.codes
        self.ways += other.ways
        self.violations |= other.violations

    @property
    def total(self) -> int:
        """How many inputs were judged."""
        return self.outcomes.total()


def run_batch(seed: int, numbers: range, at: Any = None, judge: Judge = judge) -> Tally:
    """Judges some inputs here; `at.value` says which, where another process asks."""
    tally = Tally()
    for index in numbers:
        if at is not None:
            at.value = index
        made = case(seed, index)
        tally.count(index, made.way, judge(made))
    return tally


def limit_memory() -> None:
    """Lets this process grow by `MEMORY` and no more; macOS knows no such bound."""
    if sys.platform != "linux":
        return
    words = Path("/proc/self/statm").read_text(encoding="ascii").split()
    now = int(words[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY, now + MEMORY))


def _work(tasks: Connection, at: Any, seed: int, judge: Judge) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for known in right_bases():  # what is loaded when first used is no input's memory
        judge(Case("", known.text))
    limit_memory()
    tasks.send(None)
    while (numbers := tasks.recv()) is not None:
        tasks.send(run_batch(seed, numbers, at, judge))


@dataclass
class _Worker:
    process: SpawnProcess
    tasks: Connection
    at: Any  # the number of the input that it judges
    numbers: range | None = None
    heard: float = 0.0


class Pool:
    """Some workers, and what they have still to do."""

    def __init__(
        self, seed: int, numbers: range, jobs: int, judge: Judge = judge
    ) -> None:
        self.seed = seed
        self.judge = judge
        self.left = deque(numbers[i : i + BATCH] for i in range(0, len(numbers), BATCH))
        self.tally = Tally()
        self.context = multiprocessing.get_context("spawn")
        self.workers = [self._start() for _ in range(min(jobs, len(self.left)))]

    def _start(self) -> _Worker:
        here, there = self.context.Pipe()
        at = self.context.Value("q", -1, lock=False)
        process = self.context.Process(
            target=_work, args=(there, at, self.seed, self.judge), daemon=True
        )
        process.start()
        there.close()
        return _Worker(process, here, at, heard=time.monotonic())

    def run(self, show: Callable[[Tally], None]) -> Tally:
        """Judges all inputs; calls `show` now and then."""
        try:
            while self.workers:
                ready = wait([w.tasks for w in self.workers], timeout=1)
                for worker in list(self.workers):
                    if worker.tasks in ready:
                        self._hear(worker)
                    elif time.monotonic() - worker.heard > SILENCE + BATCH * 0.5:
                        worker.process.kill()
                show(self.tally)
        finally:
            for worker in self.workers:
                worker.process.kill()
        return self.tally

    def _hear(self, worker: _Worker) -> None:
        """Takes what a worker counted and gives it more; or mourns it."""
        try:
            counted = worker.tasks.recv()
        except (EOFError, ConnectionResetError):
            self._replace(worker)
            return
        if counted is not None:
            self.tally.add(counted)
        worker.numbers = self.left.popleft() if self.left else None
        worker.heard = time.monotonic()
        worker.tasks.send(worker.numbers)
        if worker.numbers is None:
            worker.process.join()
            self.workers.remove(worker)

    def _replace(self, worker: _Worker) -> None:
        """Another worker for one that died: its input is a violation."""
        worker.process.join()
        self.workers.remove(worker)
        numbers, at = worker.numbers, worker.at.value
        if numbers is None:
            raise RuntimeError("a worker of the fuzzer cannot start")
        ended = Verdict("violation", violation=f"died with {worker.process.exitcode}")
        self.tally.count(at, case(self.seed, at).way, ended)
        rest = [range(i, i + 1) for i in numbers if i != at]
        self.left.extendleft(rest)
        self.workers.append(self._start())
