#!/usr/bin/env python3
"""Trains the small Mixtral of Models/Golden/mixtral for five steps, as Hugging Face's Trainer does, in float64, and writes the weights that come out.

Ran on Debian 12: python3 3.11.2, python3-torch 1.13.1 (no other package). Usage: python3 make_mixtral_steps.py, from anywhere; it writes mixtral-steps.safetensors beside itself.

What a step does is PyTorch's own: cross_entropy, autograd, clip_grad_norm_, torch.optim.AdamW in two groups, LambdaLR. Of the Trainer stand here its choices: the sum of the loss over the
target tokens of the batch divided by their number (num_items_in_batch), rows padded on the right and masked, a batch of four rows in two micro-batches of two, gradients clipped to 1, weight
decay on every parameter whose name has none of "bias", "layernorm" and "rmsnorm" (releases of 2025, so that model.norm.weight decays), and the cosine schedule without a warm-up. The network
is written anew, for whole batches, and is held to the logits that make_golden.py computed one number at a time.
"""
import json
import math
import os
import struct

import torch

HERE = os.path.dirname(os.path.abspath(__file__))
MODEL = os.path.join(HERE, "..", "..", "Models", "Golden", "mixtral")
TYPES = {"F64": torch.float64, "F32": torch.float32, "BF16": torch.bfloat16, "F16": torch.float16, "I64": torch.int64}
ROWS = [[1, 5, 7, 9, 2], [4, 4, 8], [3, 6, 12, 18, 11, 10, 2, 17, 14], [15, 16], [13, 0, 2, 5, 7, 7], [8, 9, 10, 11], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], [17, 3, 17],
        [6, 6], [5, 18, 2, 9], [12, 1, 0, 4, 13, 16, 8], [7, 2, 2, 11, 3], [14, 10, 6], [9, 1, 15, 0, 18, 3, 5, 12], [2, 7], [16, 4, 11, 8, 13],
        [0, 1, 2, 3], [18, 17, 16, 15, 14, 13], [5, 9, 5, 9, 5], [10, 12]]
STEPS, BATCH, RATE, DECAY = 5, 4, 1e-2, 0.1


def read_safetensors(path):
    with open(path, "rb") as file:
        raw = file.read()
    size = struct.unpack("<Q", raw[:8])[0]
    tensors = {}
    for name, entry in json.loads(raw[8:8 + size]).items():
        if name != "__metadata__":
            first, last = entry["data_offsets"]
            tensors[name] = torch.frombuffer(bytearray(raw[8 + size + first:8 + size + last]), dtype=TYPES[entry["dtype"]]).reshape(entry["shape"])
    return tensors


def write_safetensors(path, tensors):
    header, data = {}, b""
    for name, tensor in tensors.items():
        raw = tensor.contiguous().numpy().tobytes()
        header[name] = {"dtype": "F64", "shape": list(tensor.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def rms_norm(x, weight, epsilon):
    return x / torch.sqrt((x * x).mean(-1, keepdim=True) + epsilon) * weight


def rotate(x, base):
    """Su et al. 2021, by halves, as Hugging Face lays them out: [B,H,T,D]."""
    half = x.shape[-1] // 2
    angles = torch.arange(x.shape[2], dtype=x.dtype)[:, None] * base ** (-torch.arange(half, dtype=x.dtype) / half)
    first, second = x[..., :half], x[..., half:]
    return torch.cat([first * angles.cos() - second * angles.sin(), second * angles.cos() + first * angles.sin()], -1)


def logits(config, w, ids):
    B, T = ids.shape
    heads, groups, width = config["num_attention_heads"], config["num_key_value_heads"], config["hidden_size"]
    size, epsilon = config.get("head_dim") or width // heads, config["rms_norm_eps"]
    position = torch.arange(T)
    seen = (position[None, :] <= position[:, None]) & (position[None, :] > position[:, None] - config["sliding_window"])
    x = w["model.embed_tokens.weight"][ids]
    for layer in range(config["num_hidden_layers"]):
        block = f"model.layers.{layer}."
        h = rms_norm(x, w[block + "input_layernorm.weight"], epsilon)
        q, k, v = ((h @ w[f"{block}self_attn.{name}_proj.weight"].T).view(B, T, -1, size).transpose(1, 2) for name in "qkv")
        q, k = rotate(q, config["rope_theta"]), rotate(k, config["rope_theta"])
        k, v = (t.repeat_interleave(heads // groups, 1) for t in (k, v))
        scores = (q @ k.transpose(2, 3) / math.sqrt(size)).masked_fill(~seen, float("-inf"))
        x = x + (scores.softmax(-1) @ v).transpose(1, 2).reshape(B, T, -1) @ w[block + "self_attn.o_proj.weight"].T
        h = rms_norm(x, w[block + "post_attention_layernorm.weight"], epsilon)
        top, chosen = (h @ w[block + "block_sparse_moe.gate.weight"].T).softmax(-1).topk(config["num_experts_per_tok"])
        share = torch.zeros(B, T, config["num_local_experts"], dtype=x.dtype).scatter(2, chosen, top / top.sum(-1, keepdim=True))
        for e in range(config["num_local_experts"]):
            w1, w2, w3 = (w[f"{block}block_sparse_moe.experts.{e}.w{i}.weight"] for i in (1, 2, 3))
            x = x + share[..., e:e + 1] * (torch.nn.functional.silu(h @ w1.T) * (h @ w3.T) @ w2.T)
    return rms_norm(x, w["model.norm.weight"], epsilon) @ w["lm_head.weight"].T


config = json.load(open(os.path.join(MODEL, "config.json")))
weights = {}
for name in sorted(os.listdir(MODEL)):
    if name.startswith("model-"):
        weights.update({key: value.to(torch.float64) for key, value in read_safetensors(os.path.join(MODEL, name)).items()})
golden = read_safetensors(os.path.join(MODEL, "golden.safetensors"))
assert (logits(config, weights, golden["ids"]) - golden["logits"]).abs().max() < 1e-9

w = {name: torch.nn.Parameter(value.clone()) for name, value in weights.items()}
decays = [name for name in w if not any(part in name for part in ("bias", "layernorm", "rmsnorm"))]
assert "model.norm.weight" in decays
optimizer = torch.optim.AdamW([
    {"params": [w[name] for name in w if name in decays], "weight_decay": DECAY},
    {"params": [w[name] for name in w if name not in decays], "weight_decay": 0.0}], lr=RATE, betas=(0.9, 0.999), eps=1e-8)
schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.5 * (1 + math.cos(math.pi * step / STEPS)))
for step in range(STEPS):
    batch = ROWS[step * BATCH:(step + 1) * BATCH]
    count = sum(len(row) - 1 for row in batch)
    total = 0.0
    for micro_batch in (batch[:2], batch[2:]):
        length = max(map(len, micro_batch))
        ids = torch.tensor([row + [0] * (length - len(row)) for row in micro_batch])
        labels = torch.tensor([row + [-100] * (length - len(row)) for row in micro_batch])
        loss = torch.nn.functional.cross_entropy(logits(config, w, ids)[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=-100, reduction="sum") / count
        loss.backward()
        total += loss.item()
    norm = torch.nn.utils.clip_grad_norm_(w.values(), 1.0)
    print(f"step {step + 1}: loss {total:.6f}, norm {norm:.6f}, rate {schedule.get_last_lr()[0]:.6f}")
    optimizer.step()
    schedule.step()
    optimizer.zero_grad()
write_safetensors(os.path.join(HERE, "mixtral-steps.safetensors"), {name: value.detach() for name, value in w.items()})
