"""Tiny trained models, so that a fit can be run without a host and without a download. Not for the core to import."""

from .models.network import Classifier as Classifier
from .models.network import Denoiser as Denoiser
from .models.weights import DEMO_NAMES as DEMO_NAMES
from .models.weights import DemoModel as DemoModel
from .models.weights import load_classifier as load_classifier
from .models.weights import load_demo as load_demo
