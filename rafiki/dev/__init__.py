"""Local development of model templates: the platform's tuning and inference, in the author's own process."""

from rafiki.dev.predicting import make_predictions
from rafiki.dev.testing import test_model_class
from rafiki.dev.tuning import tune_model

__all__ = ["make_predictions", "test_model_class", "tune_model"]
