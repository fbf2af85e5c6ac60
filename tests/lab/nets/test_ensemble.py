"""Several nets as one."""

from __future__ import annotations

import torch
from net_makers import random_input, small_net

from genrescope.lab.nets.ensemble import together


def test_an_ensemble_takes_steps_from_those_that_know_them() -> None:
    compact, res = small_net("compact").eval(), small_net("cnn").eval()
    both = together([compact, res])
    x = random_input("compact", factor=3.0)
    _, _, steps = both.serve(x, 3)
    expected = (compact.serve(x, 3)[2] + res(x)[:, None]) / 2
    torch.testing.assert_close(steps, expected)
