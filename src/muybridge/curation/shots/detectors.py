"""The detectors of joins that a config may name."""

from muybridge.curation.shots.agreement import agreed, network_joins
from muybridge.curation.shots.config import Detector
from muybridge.curation.shots.joins import Detect
from muybridge.curation.shots.ours import find_joins
from muybridge.curation.shots.transnet import load, probabilities
from muybridge.weights.assets import ensure

ASSET = "transnetv2"


def needs_network(name: Detector) -> bool:
    """Whether the detector reads the fetched weights."""
    return name != "ours"


def detector(name: Detector) -> Detect:
    """The detector, its network loaded. Raises AssetError, WeightsError."""
    if not needs_network(name):
        return find_joins
    network = load(ensure(ASSET))
    if name == "transnet":
        return lambda thumbnails: network_joins(probabilities(network, thumbnails))
    return lambda thumbnails: agreed(find_joins(thumbnails), probabilities(network, thumbnails))
