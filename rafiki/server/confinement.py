"""How far users' code is confined on this machine: told at start, and by `rafiki doctor`."""

from __future__ import annotations

import logging

from rafiki.errors import InvalidSettingsError
from rafiki.executor.abilities import Ability, abilities, bubblewrap
from rafiki.settings import Settings

logger = logging.getLogger("rafiki.server")


def abilities_here(settings: Settings) -> list[Ability]:
    """What holds here and what does not. Blocking, some 20 ms, the first time only."""
    return abilities(settings.confinement)


def report_confinement(settings: Settings) -> None:
    """Say what holds and, loudly, what does not. Raises `InvalidSettingsError` where more is demanded than can be."""
    found = abilities_here(settings)
    sandbox = bubblewrap()
    if settings.confinement == "required" and sandbox.path is None:
        raise InvalidSettingsError(
            f"confinement is required, and this machine cannot confine users' code: {sandbox.problem}", sandbox.remedy
        )
    logger.info("what keeps users' code harmless here: %s", ", ".join(one.name for one in found if one.holds))
    lost: dict[str, list[str]] = {}
    for ability in found:
        if not ability.holds:
            lost.setdefault(ability.remedy, []).append(ability.loss)
    for remedy, sentences in lost.items():
        logger.warning("users' code is not fully confined: %s. %s", "; ".join(sentences), remedy)
