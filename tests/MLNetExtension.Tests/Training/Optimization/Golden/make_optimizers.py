"""Writes optimizers.json: weights after seven steps of each optimizer, in float64, from the equations of the papers alone.

Ran on Python 3.11 with NumPy 1.24: python3 make_optimizers.py
"""
import json
import pathlib

import numpy as np

RATE, DECAY = 0.05, 0.1
SIZES = [1e-2, 1.0, 0.3, 5.0, 0.05, 1.0, 0.2]  # of the steps' gradients: what a rule remembers must outweigh some of them
SHAPES = {"wide": (3, 8), "tall": (6, 4), "vector": (5,)}
generator = np.random.default_rng(16)
start = {name: generator.normal(0, 0.3, shape) for name, shape in SHAPES.items()}
gradients = [{name: generator.normal(0, size, shape) for name, shape in SHAPES.items()} for size in SIZES]


def is_matrix(name):
    return len(SHAPES[name]) == 2


def decay(name):
    return DECAY if is_matrix(name) else 0.0


def each(update):
    """Applies update(name, weight, gradient, t, state) to every parameter by itself, t from 1."""
    weights, states = {n: w.copy() for n, w in start.items()}, {n: {} for n in SHAPES}
    for t, gradient in enumerate(gradients, 1):
        for name in SHAPES:
            weights[name] = update(name, weights[name], gradient[name], t, states[name])
    return weights


def adamw(name, w, g, t, s, beta1=0.9, beta2=0.95, epsilon=1e-8):
    """Loshchilov and Hutter 2019, algorithm 2."""
    s["m"] = beta1 * s.get("m", 0) + (1 - beta1) * g
    s["v"] = beta2 * s.get("v", 0) + (1 - beta2) * g * g
    m_hat, v_hat = s["m"] / (1 - beta1**t), s["v"] / (1 - beta2**t)
    return w - RATE * decay(name) * w - RATE * m_hat / (np.sqrt(v_hat) + epsilon)


def lion(name, w, g, t, s, beta1=0.9, beta2=0.99):
    """Chen et al. 2023, algorithm 2."""
    m = s.get("m", np.zeros_like(g))
    w = w - RATE * (np.sign(beta1 * m + (1 - beta1) * g) + decay(name) * w)
    s["m"] = beta2 * m + (1 - beta2) * g
    return w


def sgd(nesterov):
    def update(name, w, g, t, s, momentum=0.9):
        s["b"] = momentum * s.get("b", 0) + g
        return w - RATE * decay(name) * w - RATE * (g + momentum * s["b"] if nesterov else s["b"])

    return update


def newton_schulz(g):
    """Jordan et al. 2024: X <- a X + b (X X') X + c (X X') (X X') X, five times, from G divided by its Frobenius norm."""
    x = g / (np.sqrt((g * g).sum()) + 1e-7)
    transposed = x.shape[0] > x.shape[1]
    if transposed:
        x = x.T
    for _ in range(5):
        xx = x @ x.T
        x = 3.4445 * x - 4.7750 * xx @ x + 2.0315 * xx @ xx @ x
    return x.T if transposed else x


def muon(name, w, g, t, s, momentum=0.95):
    """Jordan et al. 2024, with Nesterov's momentum; the scale and the decay of Moonlight (Liu et al. 2025, equation 4). Vectors by AdamW."""
    if not is_matrix(name):
        return adamw(name, w, g, t, s)
    s["m"] = momentum * s.get("m", 0) + g
    o = newton_schulz(g + momentum * s["m"])
    return w - RATE * (0.2 * np.sqrt(max(w.shape)) * o + decay(name) * w)


def adafactor(name, w, g, t, s):
    """Shazeer and Stern 2018, algorithm 4 for matrices and 5 for vectors, with the learning rate as the relative step size."""
    beta = 1 - t**-0.8
    square = g * g + 1e-30
    if is_matrix(name):
        s["r"] = beta * s.get("r", 0) + (1 - beta) * square.sum(axis=1)
        s["c"] = beta * s.get("c", 0) + (1 - beta) * square.sum(axis=0)
        v = np.outer(s["r"], s["c"]) / s["r"].sum()
    else:
        s["v"] = beta * s.get("v", 0) + (1 - beta) * square
        v = s["v"]
    u = g / np.sqrt(v)
    u = u / max(1.0, np.sqrt((u * u).mean()))
    rate = RATE * max(1e-3, np.sqrt((w * w).mean()))
    return w - RATE * decay(name) * w - rate * u


def dynamic_code(signed):
    """Dettmers et al. 2021: seven decades below 1, each cut into equal intervals, twice as many as the decade below; the middles, and 0 and 1."""
    code = [0.0, 1.0]
    for exponent in range(7):
        edges = np.linspace(0.1, 1, 2 ** (exponent if signed else exponent + 1) + 1)
        middles = 10.0 ** (exponent - 6) * (edges[:-1] + edges[1:]) / 2
        code += [*middles, *(-middles if signed else [])]
    assert len(code) == 256
    return np.sort(np.array(code))


def rounded(x, signed):
    """The numbers as eight bits give them back: the nearest value of the code times the largest number of the block, here all of them; no square above 0 becomes 0."""
    code, scale = dynamic_code(signed), np.abs(x).max()
    if scale == 0:
        return x
    values = np.empty_like(x)
    for i, share in np.ndenumerate(x / scale):
        nearest = code[np.argmin(np.abs(code - share))]
        values[i] = scale * (code[code > 0][0] if not signed and nearest == 0 and share > 0 else nearest)
    return values


def adamw_8bit():
    """AdamW whose moments are rounded after every step, in blocks that are the matrices together, which decay, and the vector."""
    weights, blocks = {n: w.copy() for n, w in start.items()}, [["wide", "tall"], ["vector"]]
    moments = {n: {} for n in SHAPES}
    for t, gradient in enumerate(gradients, 1):
        for names in blocks:
            for name in names:
                weights[name] = adamw(name, weights[name], gradient[name], t, moments[name])
            for moment, signed in (("m", True), ("v", False)):
                together = rounded(np.concatenate([moments[n][moment].ravel() for n in names]), signed)
                for name in names:
                    size = weights[name].size
                    moments[name][moment], together = together[:size].reshape(SHAPES[name]), together[size:]
    return weights


results = {
    "adamW": each(adamw), "adamW8": adamw_8bit(), "lion": each(lion), "sgd": each(sgd(False)), "nesterov": each(sgd(True)), "muon": each(muon), "adafactor": each(adafactor),
}


def plain(weights):
    return {name: weights[name].ravel().tolist() for name in SHAPES}


document = {
    "rate": RATE, "decay": DECAY, "shapes": {n: list(s) for n, s in SHAPES.items()}, "start": plain(start), "gradients": [plain(g) for g in gradients],
    "results": {name: plain(weights) for name, weights in results.items()},
}
pathlib.Path(__file__).with_name("optimizers.json").write_text(json.dumps(document, indent=0) + "\n")
