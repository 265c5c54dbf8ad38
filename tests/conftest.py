"""What holds for all tests: one thread a worker, and how many examples to try."""

import torch
from hypothesis import HealthCheck, Phase, settings

from tests.libraries import name_ops_of_torchvision
from tests.tools import ALL

torch.set_num_threads(1)
name_ops_of_torchvision()

# Equal runs try equal examples; `make test-all` tries ten times as many, and makes
# what it finds small, which would take a failing short run many minutes.
settings.register_profile(
    "dev",
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
settings.register_profile(
    "all", settings.get_profile("dev"), max_examples=1000, phases=list(Phase)
)
settings.load_profile("all" if ALL else "dev")
