"""The two branches of res-bigru."""

from __future__ import annotations

import torch
from net_makers import random_input, small_net

from genrescope.lab.nets.resbigru import ResBiGRU


def test_the_branches_of_res_bigru_answer_as_if_they_were_alone() -> None:
    net = small_net("res-bigru").eval()
    assert isinstance(net, ResBiGRU)
    x = random_input("res-bigru", factor=2.0)
    of_resnet, of_bigru = net.branch_logits(net.embed(x))
    torch.testing.assert_close(of_resnet, net.resnet(x))
    torch.testing.assert_close(of_bigru, net.bigru(x))
