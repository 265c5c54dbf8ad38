"""The systems that `specs/` expresses, each beside what it equals."""

from tests.parity.systems import System
from tests.parity.zoo.convnets import CONVNETS
from tests.parity.zoo.fusion import FUSION
from tests.parity.zoo.gated import GATED
from tests.parity.zoo.joined import JOINED
from tests.parity.zoo.recurrences import RECURRENT
from tests.parity.zoo.states import STATES
from tests.parity.zoo.text import TEXT
from tests.parity.zoo.vision import VISION
from tests.parity.zoo.words import WORDS

SYSTEMS: tuple[System, ...] = (
    *WORDS,
    *CONVNETS,
    *GATED,
    *RECURRENT,
    *STATES,
    *TEXT,
    *VISION,
    *JOINED,
    *FUSION,
)
