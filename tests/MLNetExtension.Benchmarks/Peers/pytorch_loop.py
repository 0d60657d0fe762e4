"""A bare PyTorch training loop after nanoGPT's design: the peer that the library is measured against.

Reads a workload (workload.json, weights.safetensors) from a folder, takes its steps and prints one line of JSON.
B rows, T positions, C width, H heads, V vocabulary.
"""

import argparse
import contextlib
import json
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

IGNORED = -100  # the target of a padded position


class FeedForward(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.c_fc = nn.Linear(width, 4 * width)
        self.c_proj = nn.Linear(4 * width, width)

    def forward(self, x):
        return self.c_proj(F.gelu(self.c_fc(x)))


class Block(nn.Module):
    def __init__(self, width, heads, context):
        super().__init__()
        self.heads = heads
        self.ln_1 = nn.LayerNorm(width)
        self.c_attn = nn.Linear(width, 3 * width)
        self.c_proj = nn.Linear(width, width)
        self.ln_2 = nn.LayerNorm(width)
        self.mlp = FeedForward(width)
        self.fused = hasattr(F, "scaled_dot_product_attention")  # since PyTorch 2.0
        if not self.fused:
            self.register_buffer("future", torch.ones(context, context, dtype=torch.bool).triu(1), persistent=False)

    def forward(self, x):
        x = x + self.attention(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))

    def attention(self, x):
        B, T, C = x.shape
        q, k, v = (part.view(B, T, self.heads, C // self.heads).transpose(1, 2) for part in self.c_attn(x).split(C, dim=2))  # [B,H,T,C/H]
        if self.fused:
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            scores = (q @ k.transpose(-2, -1)) * (C // self.heads) ** -0.5  # [B,H,T,T]
            y = scores.masked_fill(self.future[:T, :T], float("-inf")).softmax(-1) @ v
        return self.c_proj(y.transpose(1, 2).reshape(B, T, C))


class Gpt2(nn.Module):
    def __init__(self, vocabularySize, contextLength, layers, heads, width):
        super().__init__()
        self.wte = nn.Embedding(vocabularySize, width)
        self.wpe = nn.Embedding(contextLength, width)
        self.h = nn.ModuleList(Block(width, heads, contextLength) for _ in range(layers))
        self.ln_f = nn.LayerNorm(width)

    def forward(self, ids, targets):
        """Summed loss of ids and targets, [B,T] int64."""
        x = self.wte(ids) + self.wpe(torch.arange(ids.shape[1], device=ids.device))
        for block in self.h:
            x = block(x)
        logits = F.linear(self.ln_f(x), self.wte.weight)  # [B,T,V]; the head is tied
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORED, reduction="sum")


def load(model, path):
    """Fills every parameter from a safetensors file, one at a time."""
    parameters = dict(model.named_parameters())
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        header.pop("__metadata__", None)
        for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
            begin, end = entry["data_offsets"]
            values = torch.frombuffer(bytearray(file.read(end - begin)), dtype=torch.float32)
            # The library's embeddings are parameters and not modules.
            parameter = parameters.pop(name + ".weight" if name in ("wte", "wpe") else name)
            parameter.data.copy_(values.view(entry["shape"]))
    assert not parameters, f"without weights: {', '.join(parameters)}"


def optimizer_of(model, settings):
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.dim() >= 2], "weight_decay": settings["weightDecay"]},
        {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0},
    ]
    fused = {"fused": True} if parameters[0].is_cuda else {}  # a default on no device, and what users of a GPU set
    return torch.optim.AdamW(groups, lr=settings["learningRate"], betas=(settings["beta1"], settings["beta2"]), eps=settings["epsilon"], **fused)


def pad(rows, device):
    """Rows of T + 1 ids as ids and targets, [B,T] int64."""
    longest = max(len(ids) for ids in rows) - 1
    ids = torch.zeros(len(rows), longest, dtype=torch.int64)
    targets = torch.full((len(rows), longest), IGNORED)
    for b, row in enumerate(rows):
        ids[b, : len(row) - 1] = torch.tensor(row[:-1])
        targets[b, : len(row) - 1] = torch.tensor(row[1:])
    return ids.to(device), targets.to(device)


def step(model, optimizer, batch, maximum_norm, precision):
    micro_batches, target_count = batch
    losses = []
    for ids, targets in micro_batches:
        # Summed and divided by the whole batch's targets: the exact objective, as in every other system here.
        with precision:
            loss = model(ids, targets) / target_count
        loss.backward()
        losses.append(loss.detach())
    nn.utils.clip_grad_norm_(model.parameters(), maximum_norm)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return torch.stack(losses).sum().item()


def peak_memory_mib(device):
    if device.type == "cuda":  # what the driver has given to all processes: its caches are never given back
        free, whole = torch.cuda.mem_get_info()
        return (whole - free) / 2**20
    # Not ru_maxrss, which begins with what the parent process held.
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--version", action="store_true", help="the version of PyTorch alone")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--check", action="store_true", help="the first batch's loss alone")
    arguments = parser.parse_args()
    if arguments.version:
        print(json.dumps(torch.__version__))
        return
    torch.set_num_threads(arguments.threads)
    with open(f"{arguments.folder}/workload.json") as file:
        workload = json.load(file)

    device = torch.device(workload["device"])
    half = workload["precision"] == "BFloat16"
    precision = torch.autocast(device.type, torch.bfloat16) if half else contextlib.nullcontext()
    model = Gpt2(**workload["model"]).to(device)
    load(model, f"{arguments.folder}/weights.safetensors")
    optimizer = optimizer_of(model, workload["optimizer"])
    size, clip = workload["rowsPerMicroBatch"], workload["optimizer"]["maximumGradientNorm"]
    batches = [([pad(rows[i : i + size], device) for i in range(0, len(rows), size)], sum(len(ids) - 1 for ids in rows)) for rows in workload["batches"]]

    first = last = step(model, optimizer, batches[0], clip, precision)
    seconds = 0.0
    if not arguments.check:
        warm_up = workload["warmupSteps"]
        for batch in batches[1:warm_up]:
            step(model, optimizer, batch, clip, precision)
        start = time.perf_counter()
        for batch in batches[warm_up:]:
            last = step(model, optimizer, batch, clip, precision)
        seconds = time.perf_counter() - start
    print(json.dumps({"firstLoss": first, "lastLoss": last, "seconds": seconds, "peakMemoryMiB": peak_memory_mib(device)}))


main()
