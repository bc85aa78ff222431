"""Tiny trained models, so that a fit can be run without a host and without a download. Not for the core to import."""

from .network import Classifier as Classifier
from .network import Denoiser as Denoiser
from .weights import DEMO_NAMES as DEMO_NAMES
from .weights import DemoModel as DemoModel
from .weights import load_classifier as load_classifier
from .weights import load_demo as load_demo
