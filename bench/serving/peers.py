"""The servers that are compared, and the environment that each gets.

`python peers.py` makes the environments, one per peer, under `$BENCH_DIR/venvs` (default `.bench/venvs`); those that
are there already stay. Rafiki and FastAPI run on the interpreter that runs this.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent.resolve()
BENCH_DIR = Path(os.environ.get("BENCH_DIR", ".bench")).absolute()


@dataclass(frozen=True)
class Server:
    name: str
    script: str
    works: tuple[str, ...] = ("tree", "ens", "big")
    packages: tuple[str, ...] = ()  # none: it runs on our own interpreter
    venv: str = ""
    environ: dict[str, str] = field(default_factory=dict)
    form: str = "plain"  # of its bodies; see `models.write_bodies`
    path: str = "/predict"

    @property
    def python(self) -> Path:
        return BENCH_DIR / "venvs" / self.venv / "bin" / "python" if self.venv else Path(sys.executable)

    @property
    def is_installed(self) -> bool:
        return not self.venv or self.mark.exists()

    @property
    def mark(self) -> Path:
        """Says that the environment is complete."""
        return BENCH_DIR / "venvs" / self.venv / "complete"

    def form_of(self, work: str) -> str:
        """BentoML's front service of an ensemble takes the plain form."""
        return "plain" if self.form == "list" and work == "ens" else self.form

    def command(self, port: int) -> list[str]:
        if self.venv == "bentoml":
            bentoml = str(self.python.with_name("bentoml"))
            return [bentoml, "serve", f"{self.script}:Service", "--host", "127.0.0.1", "--port", str(port)]
        return [str(self.python), str(HERE / "servers" / self.script)]


_RAY = {"script": "ray_server.py", "venv": "ray", "packages": ("ray[serve]", "scikit-learn")}
SERVERS = [
    Server("Rafiki", "rafiki_server.py"),
    Server("FastAPI", "fastapi_server.py"),
    Server(
        "LitServe",
        "litserve_server.py",
        venv="litserve",
        packages=("litserve", "scikit-learn", "uvloop", "httptools", "orjson"),
    ),
    Server("BentoML", "bentoml_server", venv="bentoml", packages=("bentoml", "scikit-learn"), form="list"),
    Server(
        "MLServer",
        "mlserver_server.py",
        works=("tree", "big"),
        venv="mlserver",
        packages=("mlserver", "mlserver-sklearn", "uvloop<0.22"),
        form="v2",
        path="/v2/models/m/infer",
    ),
    Server("Ray Serve", **_RAY),
    Server(
        "Ray Serve, tuned",
        **_RAY,
        environ={"RAY_SERVE_THROUGHPUT_OPTIMIZED": "1", "RAY_SERVE_ENABLE_HA_PROXY": "1"},
    ),
]


def install(server: Server) -> None:
    """Make a peer's environment. One that could not be completed is told, and left out of the comparison."""
    if server.is_installed:
        return
    folder = server.mark.parent
    print(f"installing {' '.join(server.packages)} into {folder}", flush=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
    pip = [str(server.python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if subprocess.run([*pip, *server.packages], check=False).returncode:
        print(f"{server.name} cannot be installed: it is left out", flush=True)
        return
    server.mark.touch()


if __name__ == "__main__":
    for each in SERVERS:
        install(each)
