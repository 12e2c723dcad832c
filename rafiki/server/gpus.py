"""Which GPUs a server gives to workers: found out, and told, when it starts."""

from __future__ import annotations

import logging

from rafiki.gpus import look
from rafiki.settings import Settings

logger = logging.getLogger("rafiki.server")


def with_gpus_here(settings: Settings) -> Settings:
    """The settings, their `gpus` as indices of this machine. Raises `InvalidSettingsError` where one is not there."""
    inventory = look()
    indices = settings.gpus_of(inventory)
    if inventory.problem:
        logger.warning("not all GPUs can be used: %s", inventory.problem)
    if inventory.is_known:
        told = {True: "used", False: "left alone"}
        gpus = ", ".join(f"{gpu} {told[gpu.index in indices]}" for gpu in inventory.gpus) or "none"
        logger.info("GPUs by driver %s: %s", inventory.driver_version, gpus)
    elif indices:
        logger.warning("no driver tells of the GPUs that are set: %s are taken as given", ", ".join(map(str, indices)))
    return settings.model_copy(update={"gpus": indices})
