"""The systems that `specs/` expresses, each beside what it equals."""

from tests.parity.systems import System
from tests.parity.zoo.convnets import CONVNETS
from tests.parity.zoo.fusion import FUSION
from tests.parity.zoo.states import STATES
from tests.parity.zoo.text import TEXT
from tests.parity.zoo.vision import VISION

SYSTEMS: tuple[System, ...] = (*CONVNETS, *TEXT, *VISION, *FUSION, *STATES)
