"""The semantic tier's figures, as `python -m benchmarks.semantic` makes them."""

import subprocess
import sys

from benchmarks.gateway.bed import Bed, MeasureError
from benchmarks.report import Figure, read


def measure(bed: Bed) -> list[Figure]:
    """Run it as it is run by hand; it ends with 1 where an answer was wrong, which its figures say as well."""
    output = bed.folder / "semantic.json"
    command = [sys.executable, "-m", "benchmarks.semantic", "--output", str(output)]
    command += ["--cache", str(bed.mesh.data_dir / "models")]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if not output.exists():
        raise MeasureError(f"benchmarks.semantic ended with {done.returncode}: {done.stderr.strip()[-500:]}")
    return read(output)
