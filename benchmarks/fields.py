"""What receptive fields cost, as ratios to ``import torch`` in the same run.

Processor time inside one process, once archdsl is imported and the spec is read: what
`archdsl.analysis.receptive_field.find` adds. The peer is a whole process, as a user
starts it; the two take turns. Nothing here passes or fails.

    python benchmarks/fields.py [--pairs N]
"""

import argparse
import resource
import subprocess
import sys
import time
from statistics import median

import archdsl
from archdsl.analysis import receptive_field
from archdsl.ir.graph import Graph

CASES: dict[str, tuple[str, dict, dict]] = {  # the spec, its settings and sizes
    "swin_t": ("swin_t", {}, {}),
    "swin_b, 384 px, window 12": ("swin_b", {"window": 12}, {"H": 384, "W": 384}),
    "resnet152": ("resnet152", {}, {}),
    "vit_b16": ("vit_b16", {}, {}),
    "gpt2": ("gpt2", {}, {}),
    "gpt2, 16384 tokens": ("gpt2", {"context": 16384}, {}),
}


def peer() -> float:
    """The processor time of ``import torch``."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", "import torch"], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def cost(graph: Graph) -> float:
    """The processor time of one analysis."""
    start = time.process_time()
    receptive_field.find(graph)
    return time.process_time() - start


def main() -> None:
    """Reads the options, measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=7, help="turns that are counted")
    pairs = parser.parse_args().pairs
    graphs = {
        name: archdsl.parse(spec, settings=settings, sizes=sizes)
        for name, (spec, settings, sizes) in CASES.items()
    }
    for graph in graphs.values():
        cost(graph)
    turns = [
        (peer(), {name: cost(graph) for name, graph in graphs.items()})
        for _ in range(pairs)
    ]
    middle = median(torch for torch, _ in turns)
    print(f"medians of {pairs} turns; `import torch` takes {middle:.3f} s of CPU\n")
    print(f"{'receptive field of':<28} {'CPU ms':>8}   ratio (min-max)")
    for name in graphs:
        times = [found[name] for _, found in turns]
        ratios = [found[name] / torch for torch, found in turns]
        spread = f"{median(ratios):.4f} ({min(ratios):.4f}-{max(ratios):.4f})"
        print(f"{name:<28} {1e3 * median(times):>8.1f}   {spread}")


if __name__ == "__main__":
    main()
