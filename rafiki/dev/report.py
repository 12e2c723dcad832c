"""What local development prints."""

from __future__ import annotations

from collections.abc import Iterable


def section(title: str) -> None:
    print(f"\n=== {title} ===", flush=True)


def note(text: str) -> None:
    print(text, flush=True)


def warning(text: str) -> None:
    print(f"Warning: {text}", flush=True)


def checked(items: Iterable[str]) -> None:
    section("Checked")
    for item in items:
        print(f"[ok] {item}", flush=True)
