"""Writes preferences.json: the loss of each preference method and its derivatives by the log-probabilities, in float64, from the equations of the papers alone.

Ran on Python 3.11 with PyTorch 1.13: python3 make_preferences.py
"""
import json
import pathlib

import torch

torch.manual_seed(16)
PAIRS = 7
policy = -torch.rand(PAIRS, 2, dtype=torch.float64) * 60 - 2  # log p(y|x), summed over tokens: chosen, rejected
reference = policy + torch.randn(PAIRS, 2, dtype=torch.float64) * 12
tokens = torch.randint(1, 40, (PAIRS, 2)).double()
weights = torch.rand(PAIRS, dtype=torch.float64) * 2
desirable = torch.tensor([1, 0, 0, 1, 1, 0, 1], dtype=torch.bool)
log_sigmoid = torch.nn.functional.logsigmoid


def dpo(p, beta=0.3, smoothing=0.0):
    """Rafailov et al. 2023, equation 7; smoothing as in Mitchell 2023."""
    h = beta * (p[:, 0] - reference[:, 0]) - beta * (p[:, 1] - reference[:, 1])
    return -(1 - smoothing) * log_sigmoid(h) - smoothing * log_sigmoid(-h)


def rpo(p, weight=0.6):
    """Pang et al. 2024, equation 1."""
    return dpo(p) - weight * p[:, 0] / tokens[:, 0]


def ipo(p, tau=0.2, average=True):
    """Azar et al. 2023, equation 17; the authors' later advice is to average over tokens."""
    ratio = (p - reference) / (tokens if average else 1)
    return (ratio[:, 0] - ratio[:, 1] - 1 / (2 * tau)) ** 2


def orpo(p, weight=0.4):
    """Hong et al. 2024, equations 6 and 7, with P of equation 1 and odds of equation 3."""
    mean = p / tokens
    probability = mean.exp()
    odds = probability / (1 - probability)
    return -mean[:, 0] + weight * -log_sigmoid(torch.log(odds[:, 0] / odds[:, 1]))


def simpo(p, beta=2.2, gamma=0.7):
    """Meng et al. 2024, equation 6."""
    return -log_sigmoid(beta / tokens[:, 0] * p[:, 0] - beta / tokens[:, 1] * p[:, 1] - gamma)


def kto(p, beta=0.25, desired=1.3, undesired=0.7):
    """Ethayarajh et al. 2024, equation 8, without its constant's gradient: lambda_y - v. The second column is the prompt with another row's completion."""
    ratio = p - reference
    with torch.no_grad():
        z0 = torch.clamp((weights * ratio[:, 1]).sum() / weights.sum(), min=0)
    good = desired * (1 - torch.sigmoid(beta * (ratio[:, 0] - z0)))
    bad = undesired * (1 - torch.sigmoid(beta * (z0 - ratio[:, 0])))
    return torch.where(desirable, good, bad)


METHODS = {
    "dpo": dpo,
    "cdpo": lambda p: dpo(p, smoothing=0.15),
    "rpo": rpo,
    "ipo": ipo,
    "ipoSums": lambda p: ipo(p, average=False),
    "orpo": orpo,
    "simpo": simpo,
    "kto": kto,
}

results = {}
for name, method in METHODS.items():
    p = policy.clone().requires_grad_()
    losses = method(p)
    total = (weights * losses).sum()
    total.backward()
    results[name] = {"total": total.item(), "slopes": p.grad.tolist()}

golden = {"policy": policy.tolist(), "reference": reference.tolist(), "tokens": tokens.int().tolist(), "weights": weights.tolist(), "desirable": desirable.tolist(), "results": results}
pathlib.Path(__file__).with_name("preferences.json").write_text(json.dumps(golden, indent=1) + "\n")
