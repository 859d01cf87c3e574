"""The policy bundle: what training hands to serving.

Names are imported on first use, so that reading a bundle imports neither torch, Ray nor CityLearn.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from rllib_citylearn.lazy import lazy_names

if TYPE_CHECKING:
    from rllib_citylearn.export.bundle import Bundle, read_bundle, write_bundle
    from rllib_citylearn.export.checkpoint import export_checkpoint, save_checkpoint
    from rllib_citylearn.export.gateway import BuildingRuntime
    from rllib_citylearn.export.manifest import Manifest
    from rllib_citylearn.export.runtime import PolicyRuntime

# onnxruntime's official Linux builds report usage to their maker, and write a device id to the home folder when they are
# imported. Nobody who controls buildings has agreed to that; whoever has can set the variable to 0.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

_HOME = {
    "BuildingRuntime": "rllib_citylearn.export.gateway",
    "Bundle": "rllib_citylearn.export.bundle",
    "Manifest": "rllib_citylearn.export.manifest",
    "PolicyRuntime": "rllib_citylearn.export.runtime",
    "export_checkpoint": "rllib_citylearn.export.checkpoint",
    "read_bundle": "rllib_citylearn.export.bundle",
    "save_checkpoint": "rllib_citylearn.export.checkpoint",
    "write_bundle": "rllib_citylearn.export.bundle",
}

__all__ = [
    "BuildingRuntime",
    "Bundle",
    "Manifest",
    "PolicyRuntime",
    "export_checkpoint",
    "read_bundle",
    "save_checkpoint",
    "write_bundle",
]

__getattr__ = lazy_names(__name__, _HOME)
