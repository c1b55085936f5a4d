"""``python -m bench [--quick] [NAME ...]``: measure, print the table, and write it down with its picture."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from bench import cli_start, composing, following, full, hostile, reading, search, starting, writing
from bench.figures import QUICK, SIZES, WHOLE
from bench.report import line, machine, write_curves, write_table
from bench.rig import Rig

if TYPE_CHECKING:
    from bench.figures import Effort, Figure

SUITE = {
    "reading": reading.measure,
    "composing": composing.measure,
    "following": following.measure,
    "full": full.measure,
    "hostile": hostile.measure,
    "writing": writing.measure,
    "search": search.measure,
    "starting": starting.measure,
    "client": cli_start.measure,
}
RESULTS = Path(__file__).resolve().parent / "results"


def measured(names: list[str], sizes: tuple[int, ...], effort: Effort) -> list[Figure]:
    """Return the figures of the parts, each printed as it comes."""
    figures = []
    for name in names:
        with Rig() as rig:
            for figure in SUITE[name](rig, sizes, effort):
                print(line(figure), flush=True)
                figures.append(figure)
    return figures


def main() -> None:
    """Run the suite or the parts that are named; the whole suite is written down, and ``full`` where it runs alone."""
    parser = argparse.ArgumentParser(prog="make bench", description="Measure the hub against its limits.")
    parser.add_argument("--quick", action="store_true", help="1,000 repos, short loads, few rounds; not written down")
    parser.add_argument("parts", nargs="*", help=f"parts of the suite: {', '.join(SUITE)} (all)")
    args = parser.parse_args()
    if unknown := set(args.parts) - set(SUITE):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    sizes, effort = (SIZES[1:2], QUICK) if args.quick else (SIZES, WHOLE)
    print(machine())
    figures = measured(args.parts or list(SUITE), sizes, effort)
    if not args.parts and not args.quick:
        write_table(RESULTS / "latest.md", figures, "make bench")
        write_curves(RESULTS / "growth.svg", figures)
    elif args.parts == ["full"] and not args.quick:
        write_table(RESULTS / "full.md", figures, "make bench PARTS=full")


if __name__ == "__main__":
    main()
