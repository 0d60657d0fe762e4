"""Writes losses.json: loss and gradients of every loss, in float64, from the equations of the papers and automatic differentiation.

Ran on Python 3.11 with PyTorch 1.13 and NumPy 1.24: python3 make_losses.py
"""
import json
import math
import pathlib

import numpy as np
import torch

N, C, V, TEACHER_C, TEACHER_V = 19, 5, 11, 7, 14
generator = np.random.default_rng(17)


def draw(*shape, size=1.0):
    return torch.tensor(generator.normal(0, size, shape))


data = {
    "hidden": draw(N, C), "head": draw(V, C), "teacherHidden": draw(N, TEACHER_C, size=1.5), "teacherHead": draw(TEACHER_V, TEACHER_C),
    "weights": torch.tensor(generator.integers(0, 4, N) / 2.0),
}
targets = torch.tensor(generator.integers(0, V, N))
targets[::3] = (data["hidden"] @ data["head"].T)[::3].argmax(1)  # of factors near 0 and near 1


def logits_of(hidden, head, cap):
    z = hidden @ head.T
    return z if cap is None else cap * torch.tanh(z / cap)


def log_probability(z, y):
    return z[torch.arange(N), y] - torch.logsumexp(z, 1)


def cross_entropy(z, y, smoothing=0.0):
    """Szegedy et al. 2016, section 7: the target has 1 - s, and s is spread over all V."""
    log_p = z - torch.logsumexp(z, 1, keepdim=True)
    share = torch.full_like(z, smoothing / z.shape[1])
    share[torch.arange(N), y] += 1 - smoothing
    return -(share * log_p).sum(1)


def z_loss(z):
    """Chowdhery et al. 2022, section 5."""
    return torch.logsumexp(z, 1) ** 2


def dft(z, y):
    """Wu et al. 2025, equation 9: the cross entropy times the probability of the target, through which no gradient flows."""
    log_p = log_probability(z, y)
    return -torch.exp(log_p).detach() * log_p


def focal(z, y, gamma):
    """Lin et al. 2017, equation 4."""
    p = torch.softmax(z, 1)[torch.arange(N), y]
    return -((1 - p) ** gamma) * torch.log(p)


def kl(a, b):
    return (a * (torch.log(a) - torch.log(b))).sum(1)


def forward_kl(q, p):
    return kl(q, p)


def reverse_kl(q, p):
    return kl(p, q)


def jensen_shannon(share):
    """Agarwal et al. 2024, equation 1."""

    def divergence(q, p):
        mixture = share * q + (1 - share) * p
        return share * kl(q, mixture) + (1 - share) * kl(p, mixture)

    return divergence


def distil(divergence, share, temperature):
    """Hinton et al. 2015, section 2.1: soft targets at a temperature, times its square, beside the cross entropy. Over the ids that both have."""

    def loss(z, y, t):
        both = min(z.shape[1], t.shape[1])
        q, p = torch.softmax(t[:, :both] / temperature, 1), torch.softmax(z[:, :both] / temperature, 1)
        return (1 - share) * cross_entropy(z, y) + share * temperature**2 * divergence(q, p)

    return loss


# What is computed, and what of the data it sees.
CASES = {
    "crossEntropy": (lambda z, y, t: cross_entropy(z, y), {}),
    "crossEntropy weighted": (lambda z, y, t: cross_entropy(z, y), {"weighted": True}),
    "smoothing": (lambda z, y, t: cross_entropy(z, y, 0.15), {"weighted": True}),
    "smoothing zLoss capped": (lambda z, y, t: cross_entropy(z, y, 0.15) + 0.02 * z_loss(z), {"weighted": True, "cap": 2.5}),
    "dft": (lambda z, y, t: dft(z, y), {}),
    "dft zLoss weighted": (lambda z, y, t: dft(z, y) + 0.02 * z_loss(z), {"weighted": True}),
    "dft capped": (lambda z, y, t: dft(z, y), {"cap": 2.5}),
    "focal": (lambda z, y, t: focal(z, y, 2.0), {}),
    "focal half": (lambda z, y, t: focal(z, y, 0.5), {"weighted": True}),
    "focal zLoss capped": (lambda z, y, t: focal(z, y, 2.0) + 0.02 * z_loss(z), {"weighted": True, "cap": 2.5}),
    "forward": (distil(forward_kl, 1.0, 1.0), {}),
    "forward mixed": (distil(forward_kl, 0.3, 2.0), {"weighted": True}),
    "forward capped": (distil(forward_kl, 0.3, 2.0), {"cap": 2.5, "teacherCap": 3.5}),
    "forward smaller teacher": (distil(forward_kl, 0.3, 2.0), {"teacherVocabulary": 8}),
    "reverse": (distil(reverse_kl, 1.0, 1.0), {}),
    "reverse mixed": (distil(reverse_kl, 0.7, 1.5), {"weighted": True, "teacherCap": 3.5}),
    "reverse smaller teacher": (distil(reverse_kl, 0.7, 1.5), {"teacherVocabulary": 8, "cap": 2.5}),
    "jensenShannon": (distil(jensen_shannon(0.5), 1.0, 1.0), {}),
    "jensenShannon mixed": (distil(jensen_shannon(0.2), 0.6, 0.7), {"weighted": True, "cap": 2.5}),
}


def run(loss, sees):
    hidden, head = data["hidden"].clone().requires_grad_(), data["head"].clone().requires_grad_()
    z = logits_of(hidden, head, sees.get("cap"))
    t = logits_of(data["teacherHidden"], data["teacherHead"][: sees.get("teacherVocabulary", TEACHER_V)], sees.get("teacherCap"))
    total = (loss(z, targets, t) * (data["weights"] if sees.get("weighted") else 1)).sum()
    total.backward()
    assert math.isfinite(total.item())
    return {**sees, "sum": total.item(), "hidden": hidden.grad.ravel().tolist(), "head": head.grad.ravel().tolist()}


document = {
    "width": C, "teacherWidth": TEACHER_C, "targets": targets.tolist(), **{name: tensor.ravel().tolist() for name, tensor in data.items()},
    "cases": {name: run(loss, sees) for name, (loss, sees) in CASES.items()},
}
pathlib.Path(__file__).with_name("losses.json").write_text(json.dumps(document, indent=0) + "\n")
