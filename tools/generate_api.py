"""Makes the typed Python API from protos/: `python tools/generate_api.py [--check]`.

The result is checked in; with --check it is made elsewhere and compared with what is there.
"""

import shutil
import sys
import tempfile
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent
PROTOS = ROOT / "protos"


def generate(output: Path) -> None:
    """Writes messages, stubs and their types below `output`; raises SystemExit where protoc refuses."""
    well_known = Path(protoc.__file__).parent / "_proto"
    ours = sorted(str(path) for path in PROTOS.glob("scic/**/*.proto"))
    rules = [str(PROTOS / "buf/validate/validate.proto")]
    includes = [f"-I{PROTOS}", f"-I{well_known}"]
    plugins = [f"--plugin={name}={shutil.which(name)}" for name in ("protoc-gen-mypy", "protoc-gen-mypy_grpc")]
    messages = [f"--python_out={output}", f"--mypy_out=readable_stubs,quiet:{output}"]
    stubs = [f"--grpc_python_out={output}", f"--mypy_grpc_out=quiet:{output}"]
    services = [path for path in ours if path.endswith("_service.proto")]
    for arguments in ([*messages, *ours, *rules], [*stubs, *services]):
        if code := protoc.main(["protoc", *includes, *plugins, *arguments]):
            raise SystemExit(code)


def differences() -> list[str]:
    """Paths of generated files that are missing, out of date, or without a proto."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder)
        generate(made)
        wanted = {path.relative_to(made): path.read_bytes() for path in made.rglob("*_pb2*")}
    there = {
        path.relative_to(ROOT): path.read_bytes()
        for root in ("scic", "buf")
        for path in (ROOT / root).rglob("*_pb2*.py*")
        if path.suffix != ".pyc"
    }
    return sorted(str(path) for path in wanted.keys() | there.keys() if wanted.get(path) != there.get(path))


def main() -> None:
    """Generates, or compares."""
    if sys.argv[1:] != ["--check"]:
        generate(ROOT)
    elif stale := differences():
        raise SystemExit(f"not what protos/ say (run `make api`): {', '.join(stale)}")


if __name__ == "__main__":
    main()
