"""A package index of one's own, of tiny packages in a folder: no network, and answers as a test needs them."""

from __future__ import annotations

import base64
import hashlib
import io
import tarfile
import threading
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class PackageIndex:
    """`url` is what an installer takes for an index. It has numpy, Pillow and requests, each an empty package."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("numpy", "pillow", "requests"):
            self.add(name, "1.0")

    @property
    def url(self) -> str:
        return self._folder.as_uri()

    @contextmanager
    def served(self) -> Iterator[str]:
        """By HTTP, at this URL. Unlike files, installers keep what they got there."""
        handler = partial(_QuietHandler, directory=self._folder)
        with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            serving = threading.Thread(target=server.serve_forever)
            serving.start()
            try:
                yield f"http://127.0.0.1:{server.server_port}"
            finally:
                server.shutdown()
                serving.join()

    def add(self, name: str, version: str, requires: Sequence[str] = (), tag: str = "py3-none-any") -> Path:
        """A wheel whose one module says its version."""
        wheel_path = self._files(name) / f"{name}-{version}-{tag}.whl"
        write_wheel(wheel_path, name, version, requires, tag)
        self.list(name)
        return wheel_path

    def add_source(self, name: str, version: str) -> None:
        """A source distribution, which has to be built."""
        path = self._files(name) / f"{name}-{version}.tar.gz"
        files = {
            "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
            "setup.py": f"from setuptools import setup\nsetup(name={name!r}, version={version!r})\n",
        }
        with tarfile.open(path, "w:gz") as archive:
            for file_name, text in files.items():
                member = tarfile.TarInfo(f"{name}-{version}/{file_name}")
                member.size = len(text)
                archive.addfile(member, io.BytesIO(text.encode()))
        self.list(name)

    def _files(self, name: str) -> Path:
        folder = self._folder / name.replace("_", "-")
        folder.mkdir(exist_ok=True)
        return folder

    def list(self, name: str) -> None:
        """Tell the files of a package as they are now."""
        links = [
            f'<a href="{path.name}#sha256={hashlib.sha256(path.read_bytes()).hexdigest()}">{path.name}</a><br>'
            for path in sorted(self._files(name).iterdir())
            if path.name != "index.html"
        ]
        (self._files(name) / "index.html").write_text(f"<!DOCTYPE html><html><body>{''.join(links)}</body></html>")


class _QuietHandler(SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        del self.headers["If-Modified-Since"]  # which tells seconds: tests are quicker
        super().do_GET()

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


def write_wheel(
    path: Path, name: str, version: str, requires: Sequence[str] = (), tag: str = "py3-none-any", code: str = ""
) -> None:
    info = f"{name}-{version}.dist-info"
    metadata = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}", *(f"Requires-Dist: {r}" for r in requires)]
    files = {
        f"{name}.py": code or f"__version__ = {version!r}\n",
        f"{info}/METADATA": "\n".join(metadata) + "\n",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    record = "".join(f"{file_name},{_digest(text)},{len(text)}\n" for file_name, text in files.items())
    record += f"{info}/RECORD,,\n"
    with zipfile.ZipFile(path, "w") as archive:
        for file_name, text in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(zipfile.ZipInfo(file_name), text)


def _digest(text: str) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest())
    return f"sha256={digest.decode().rstrip('=')}"
