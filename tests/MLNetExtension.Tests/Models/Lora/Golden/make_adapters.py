#!/usr/bin/env python3
"""Writes adapters as PEFT's files hold them, with the logits that they give on the models in ../../Golden and the gradients of all that is trained, in float64.

Ran on Debian 12: python3 3.11.2, python3-torch 1.13.1 (no other package). Usage: python3 make_adapters.py, from anywhere; it writes beside itself. The folders gpt2, llama and mixtral are
of ../../Golden/make_golden.py.

Written from the equations of the papers named below: the weights that a layer computes with are made whole, as [outputs, inputs], and the gradients are those of torch's automatic differentiation.

  DoRA (Liu et al. 2024, arXiv 2402.09353), equation 5: W' = m (W + s B A) / |W + s B A|, row by row; the norm is a constant in the backward pass (section 4.3).
  PiSSA (Meng et al. 2024, arXiv 2404.02948), equations 2 to 4: W = U S V', and A0, B0 of the r largest singular values: W' = (W - s B0 A0) + s B A.
  rsLoRA (Kalajdzievski 2023): s = alpha / sqrt(r).
"""
import json
import math
import os
import struct

import torch

HERE = os.path.dirname(os.path.abspath(__file__))
BASES = os.path.join(HERE, "../../Golden")
TYPES = {"F64": torch.float64, "F32": torch.float32, "I64": torch.int64}


def read_safetensors(path):
    with open(path, "rb") as file:
        data = file.read()
    length = struct.unpack("<Q", data[:8])[0]
    header, body = json.loads(data[8:8 + length]), data[8 + length:]
    header.pop("__metadata__", None)
    return {name: torch.frombuffer(bytearray(body[slice(*entry["data_offsets"])]), dtype=TYPES[entry["dtype"]]).reshape(entry["shape"]) for name, entry in header.items()}


def write_safetensors(path, tensors):
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, tensor in tensors.items():
        raw = tensor.detach().contiguous().numpy().tobytes()
        header[name] = {"dtype": next(key for key, value in TYPES.items() if value == tensor.dtype), "shape": list(tensor.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def attention(q, k, v, heads):
    """[T,C] each to [T,C] (Vaswani et al. 2017, equation 1), causal."""
    split = lambda x: x.view(len(x), heads, -1).transpose(0, 1)                 # [H,T,D]
    scores = split(q) @ split(k).transpose(1, 2) / math.sqrt(q.shape[1] // heads)
    scores = scores + torch.full_like(scores, -math.inf).triu(1)
    return (scores.softmax(-1) @ split(v)).transpose(0, 1).reshape(len(q), -1)


def rotary(x, heads, theta):
    """Coordinates i and i + D/2 turn together (Su et al. 2021)."""
    x = x.view(len(x), heads, -1)
    half = x.shape[2] // 2
    angles = torch.arange(len(x), dtype=torch.float64)[:, None] * theta ** (-torch.arange(half, dtype=torch.float64) / half)
    cos, sin = angles.cos()[:, None], angles.sin()[:, None]
    a, b = x[..., :half], x[..., half:]
    return torch.cat([a * cos - b * sin, a * sin + b * cos], -1).flatten(1)


def llama_logits(config, w, ids):
    heads = config["num_attention_heads"]
    norm = lambda x, name: x / ((x ** 2).mean(-1, keepdim=True) + config["rms_norm_eps"]).sqrt() * w[name + ".weight"]
    linear = lambda x, name: x @ w[name + ".weight"].T + w[name + ".bias"]
    x = w["model.embed_tokens.weight"][ids]
    for i in range(config["num_hidden_layers"]):
        block = f"model.layers.{i}."
        h = norm(x, block + "input_layernorm")
        q, k, v = (linear(h, block + f"self_attn.{name}_proj") for name in "qkv")
        x = x + linear(attention(rotary(q, heads, config["rope_theta"]), rotary(k, heads, config["rope_theta"]), v, heads), block + "self_attn.o_proj")
        h = norm(x, block + "post_attention_layernorm")
        gate = linear(h, block + "mlp.gate_proj")
        x = x + linear(gate * gate.sigmoid() * linear(h, block + "mlp.up_proj"), block + "mlp.down_proj")
    return norm(x, "model.norm") @ w["lm_head.weight"].T


def gpt2_logits(config, w, ids):
    def norm(x, name):
        centred = x - x.mean(-1, keepdim=True)
        return centred / ((centred ** 2).mean(-1, keepdim=True) + config["layer_norm_epsilon"]).sqrt() * w[name + ".weight"] + w[name + ".bias"]

    linear = lambda x, name: x @ w[name + ".weight"].T + w[name + ".bias"]
    x = w["transformer.wte.weight"][ids] + w["transformer.wpe.weight"][:len(ids)]
    for i in range(config["n_layer"]):
        block = f"transformer.h.{i}."
        q, k, v = linear(norm(x, block + "ln_1"), block + "attn.c_attn").chunk(3, -1)
        x = x + linear(attention(q, k, v, config["n_head"]), block + "attn.c_proj")
        h = linear(norm(x, block + "ln_2"), block + "mlp.c_fc")
        x = x + linear(0.5 * h * (1 + torch.tanh(math.sqrt(2 / math.pi) * (h + 0.044715 * h ** 3))), block + "mlp.c_proj")
    return norm(x, "transformer.ln_f") @ w["transformer.wte.weight"].T


def make(name, base, seed, targets, rank, alpha, rslora=False, dora=False, init=True, trained=(), tied=()):
    with open(os.path.join(BASES, base, "config.json")) as file:
        config = json.load(file)
    gpt2 = config["model_type"] == "gpt2"
    compute = gpt2_logits if gpt2 else llama_logits
    stored = read_safetensors(os.path.join(BASES, base, "model.safetensors"))
    weights = {key: value.double().T if gpt2 and value.dim() == 2 and ".h." in key else value.double() for key, value in stored.items()}    # [outputs, inputs]
    golden = read_safetensors(os.path.join(BASES, base, "golden.safetensors"))
    ids = golden["ids"]
    again = torch.stack([compute(config, weights, row) for row in ids])
    assert (again - golden["logits"]).abs().max() < 1e-10, "the base alone is that of make_golden.py"

    generator = torch.Generator().manual_seed(seed)
    random = lambda *shape: torch.randn(shape, generator=generator)
    scale = alpha / (math.sqrt(rank) if rslora else rank)
    leaves, used, file = {}, dict(weights), {}

    def leaf(key, value):
        """What the file holds, in float32, is what is computed with."""
        file["base_model.model." + key] = value.float().contiguous()
        leaves[key] = file["base_model.model." + key].double().requires_grad_()
        return leaves[key]

    for key, weight in weights.items():
        module = key[:-len(".weight")]
        if not key.endswith(".weight") or weight.dim() != 2 or module.split(".")[-1] not in targets:
            continue
        a, b, frozen = random(rank, weight.shape[1]) * 0.3, random(weight.shape[0], rank) * 0.3, weight
        if init == "pissa":
            u, s, vt = torch.linalg.svd(weight, full_matrices=False)
            share = (s[:rank] / scale).sqrt()
            a0, b0 = share[:, None] * vt[:rank], u[:, :rank] * share
            frozen = weight - scale * b0 @ a0
            a, b = a0 + a * 0.3, b0 + b * 0.3
        direction = frozen + scale * leaf(module + ".lora_B.weight", b) @ leaf(module + ".lora_A.weight", a)
        if dora:
            m = leaf(module + ".lora_magnitude_vector", weight.norm(dim=1) * (1 + 0.3 * random(len(weight))))
            direction = m[:, None] * direction / direction.norm(dim=1, keepdim=True).detach()
        used[key] = direction
    for key in trained:
        used[key] = leaf(key, weights[key] + 0.3 * random(*weights[key].shape))
    for key in tied:                                                            # stored under a second name
        file["base_model.model." + key] = file["base_model.model." + trained[0]]

    logits = torch.stack([compute(config, used, row) for row in ids])
    torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten()).backward()
    folder = os.path.join(HERE, name)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "adapter_config.json"), "w") as text:
        json.dump({"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": rank, "lora_alpha": alpha, "lora_dropout": 0.0, "use_rslora": rslora, "use_dora": dora, "init_lora_weights": init,
                   "target_modules": targets, "bias": "none", "fan_in_fan_out": gpt2, "inference_mode": True,
                   "modules_to_save": sorted({key[:-len(".weight")] for key in [*trained, *tied]}) or None, "ensure_weight_tying": bool(tied)}, text, indent=1)
        text.write("\n")
    write_safetensors(os.path.join(folder, "adapter_model.safetensors"), file)
    write_safetensors(os.path.join(folder, "golden.safetensors"), {"ids": ids, "logits": logits, **{"gradient." + key: value.grad for key, value in leaves.items()}})
    print(f"{name}: {len(leaves)} trained tensors, logits from {float(logits.min()):.3f} to {float(logits.max()):.3f}")


make("gpt2-dora", "gpt2", 31, ["c_attn", "c_proj", "c_fc"], 3, 6, dora=True, trained=["transformer.wte.weight", "transformer.wpe.weight"], tied=["lm_head.weight"])
make("llama-dora", "llama", 32, ["q_proj", "k_proj", "o_proj", "up_proj", "down_proj"], 4, 10, rslora=True, dora=True, trained=["lm_head.weight", "model.norm.weight"])
make("llama-pissa", "llama", 33, ["q_proj", "v_proj", "o_proj", "gate_proj", "down_proj"], 3, 7, init="pissa", trained=["model.embed_tokens.weight"])
make("llama-pissa-dora", "llama", 34, ["k_proj", "v_proj", "up_proj", "down_proj"], 2, 5, rslora=True, dora=True, init="pissa")
