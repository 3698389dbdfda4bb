"""Makes the typed Python API from protos/: `python tools/generate_api.py [OUTPUT]`, OUTPUT being the repository by default.

The result is checked in; `make check` makes it again elsewhere and compares.
"""

import shutil
import sys
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


if __name__ == "__main__":
    generate(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT)
