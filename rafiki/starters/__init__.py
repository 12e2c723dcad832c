"""Starter models: a small zoo of templates, so that whoever comes to an empty platform has something to train with.

The templates are data, one file each in `templates/`, and run in their models' environments. They are also read as
examples: each stands on its own, and what several of them need is in each of them.
"""

from rafiki.starters.installing import install_starters
from rafiki.starters.zoo import STARTERS, Starter

__all__ = ["STARTERS", "Starter", "install_starters"]
