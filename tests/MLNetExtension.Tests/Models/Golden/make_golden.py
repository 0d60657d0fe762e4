#!/usr/bin/env python3
"""Writes small models as Hugging Face's files hold them, and adapters as PEFT's do, with the logits that they give, computed in float64.

Ran on Debian 12: python3 3.11.2, python3-torch 1.13.1 (no other package). Usage: python3 make_golden.py, from anywhere; it writes beside itself; adapters into Adapters/Golden.

Written from the equations of the papers named below, the slow way: one row, one head, one position, one token at a time, rotations as complex numbers, a
softmax over the positions that a query may see and no mask. Nothing is shared with the implementation under test but the names in the files.

  V ids, T positions, C width, H heads, G heads of keys and values, D width of a head.
"""
import json
import math
import os
import struct

import torch

HERE = os.path.dirname(os.path.abspath(__file__))
V, T, C, H, G, D, F, L = 19, 13, 16, 4, 2, 6, 20, 3
TYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64}


def write_safetensors(path, tensors):
    """The format's own description: length of the header, header as JSON, bytes of the tensors one after another."""
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, tensor in tensors.items():
        dtype = next(key for key, value in TYPES.items() if value == tensor.dtype)
        raw = tensor.contiguous().view(torch.int16 if tensor.element_size() == 2 else tensor.dtype).numpy().tobytes()
        header[name] = {"dtype": dtype, "shape": list(tensor.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def gelu(x):
    return 0.5 * x * (1 + torch.erf(x / math.sqrt(2)))


def gelu_new(x):
    # Hendrycks and Gimpel 2016, section 2.
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3)))


def silu(x):
    return x / (1 + torch.exp(-x))


ACTIVATIONS = {"gelu": gelu, "gelu_new": gelu_new, "silu": silu, "relu": lambda x: torch.clamp(x, min=0)}


def attend(query, keys, values, first):
    """One query [D] over the keys [S,D] from `first` on (Vaswani et al. 2017, equation 1)."""
    scores = [float(query @ keys[s]) / math.sqrt(len(query)) for s in range(first, len(keys))]
    top = max(scores)
    weights = [math.exp(score - top) for score in scores]
    return sum(w / sum(weights) * values[first + i] for i, w in enumerate(weights))


# GPT-2: Radford et al. 2019.

def layer_norm(x, w, name, epsilon):
    mean = x.mean()
    variance = ((x - mean) ** 2).mean()
    return (x - mean) / math.sqrt(variance + epsilon) * w[name + ".weight"] + w[name + ".bias"]


def gpt2_logits(config, w, ids):
    width, heads = config["n_embd"], config["n_head"]
    size, epsilon = width // heads, config["layer_norm_epsilon"]
    activation = ACTIVATIONS[config["activation_function"]]
    x = [w["wte.weight"][i] + w["wpe.weight"][t] for t, i in enumerate(ids)]
    for layer in range(config["n_layer"]):
        block = f"h.{layer}."
        conv = lambda v, name: v @ w[block + name + ".weight"] + w[block + name + ".bias"]
        qkv = [conv(layer_norm(v, w, block + "ln_1", epsilon), "attn.c_attn") for v in x]
        for t in range(len(x)):
            mixed = []
            for h in range(heads):
                part = lambda which, s: qkv[s][which * width + h * size:which * width + (h + 1) * size]
                mixed.append(attend(part(0, t), [part(1, s) for s in range(t + 1)], [part(2, s) for s in range(t + 1)], 0))
            x[t] = x[t] + conv(torch.cat(mixed), "attn.c_proj")
        x = [v + conv(activation(conv(layer_norm(v, w, block + "ln_2", epsilon), "mlp.c_fc")), "mlp.c_proj") for v in x]
    head = w["wte.weight"] if config["tie_word_embeddings"] else w["lm_head.weight"]
    return torch.stack([head @ layer_norm(v, w, "ln_f", epsilon) for v in x])


# Llama and its relatives.

def rms_norm(x, weight, epsilon):
    # Zhang and Sennrich 2019, equation 4.
    return x / math.sqrt(float((x ** 2).mean()) + epsilon) * weight


def frequencies(config, size):
    """Radians per position, and what the attention's queries and keys are multiplied by."""
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    theta = rope.get("rope_theta", config.get("rope_theta"))
    plain = [theta ** (-2 * i / size) for i in range(size // 2)]             # Su et al. 2021, section 3.2.2
    kind = rope.get("rope_type", rope.get("type", "default"))
    if kind in ("default", "dynamic"):                                        # dynamic: as long as rows are no longer than the context
        return plain, 1.0
    factor = rope["factor"]
    if kind == "linear":                                                      # Chen et al. 2023
        return [f / factor for f in plain], 1.0
    original = rope["original_max_position_embeddings"]
    if kind == "llama3":                                                      # by wavelength; Llama team 2024, as released with Llama 3.1
        scaled = []
        for f in plain:
            wavelength = 2 * math.pi / f
            if wavelength < original / rope["high_freq_factor"]:
                scaled.append(f)
            elif wavelength > original / rope["low_freq_factor"]:
                scaled.append(f / factor)
            else:
                smooth = (original / wavelength - rope["low_freq_factor"]) / (rope["high_freq_factor"] - rope["low_freq_factor"])
                scaled.append((1 - smooth) * f / factor + smooth * f)
        return scaled, 1.0
    if kind == "yarn":                                                        # Peng et al. 2023; the ramp over indices, as in their released code
        ends = [size * math.log(original / (turns * 2 * math.pi)) / (2 * math.log(theta)) for turns in (rope.get("beta_fast", 32), rope.get("beta_slow", 1))]
        if rope.get("truncate", True):
            ends = [math.floor(ends[0]), math.ceil(ends[1])]
        low, high = max(ends[0], 0), min(ends[1], size - 1)
        scaled = []
        for i, f in enumerate(plain):
            interpolated = 0.0 if i <= low else 1.0 if i >= high else (i - low) / (high - low)
            scaled.append(f * (1 - interpolated) + f / factor * interpolated)
        return scaled, rope.get("attention_factor") or 0.1 * math.log(factor) + 1
    raise ValueError(kind)


def rotate(vector, position, turns, amplitude):
    """Coordinates i and i + D/2 are a complex number, turned by the position times its frequency."""
    half = len(vector) // 2
    z = torch.complex(vector[:half], vector[half:]) * torch.tensor([complex(math.cos(position * f), math.sin(position * f)) for f in turns], dtype=torch.complex128) * amplitude
    return torch.cat([z.real, z.imag])


def window_of(config, layer):
    kind, window = config["model_type"], config.get("sliding_window")
    if kind in ("mistral", "mixtral"):                                        # Jiang et al. 2023, section 2
        return window
    if kind in ("qwen2", "qwen3") and config["use_sliding_window"]:
        if "layer_types" in config:
            return window if config["layer_types"][layer] == "sliding_attention" else None
        return window if layer >= config["max_window_layers"] else None
    return None


def llama_logits(config, w, ids):
    heads, groups = config["num_attention_heads"], config["num_key_value_heads"]
    size = config.get("head_dim") or config["hidden_size"] // heads
    epsilon, activation = config["rms_norm_eps"], ACTIVATIONS[config["hidden_act"]]
    turns, amplitude = frequencies(config, size)
    x = [w["model.embed_tokens.weight"][i] for i in ids]
    for layer in range(config["num_hidden_layers"]):
        block = f"model.layers.{layer}."

        def linear(v, name):
            result = w[block + name + ".weight"] @ v
            return result + w[block + name + ".bias"] if block + name + ".bias" in w else result

        def head(v, name, norm, h, position, turned):
            part = linear(v, f"self_attn.{name}")[h * size:(h + 1) * size]
            if block + f"self_attn.{norm}.weight" in w:                       # Henry et al. 2020, with RMS norms
                part = rms_norm(part, w[block + f"self_attn.{norm}.weight"], epsilon)
            return rotate(part, position, turns, amplitude) if turned else part

        turned = config["model_type"] != "smollm3" or config["no_rope_layers"][layer] == 1
        window = window_of(config, layer)
        normed = [rms_norm(v, w[block + "input_layernorm.weight"], epsilon) for v in x]
        mixed = [[] for _ in x]
        for h in range(heads):
            g = h // (heads // groups)                                        # Ainslie et al. 2023
            keys = [head(v, "k_proj", "k_norm", g, t, turned) for t, v in enumerate(normed)]
            values = [linear(v, "self_attn.v_proj")[g * size:(g + 1) * size] for v in normed]
            for t, v in enumerate(normed):
                first = 0 if window is None else max(0, t - window + 1)
                mixed[t].append(attend(head(v, "q_proj", "q_norm", h, t, turned), keys[:t + 1], values[:t + 1], first))
        x = [v + linear(torch.cat(m), "self_attn.o_proj") for v, m in zip(x, mixed)]

        for t, v in enumerate(x):
            v = rms_norm(v, w[block + "post_attention_layernorm.weight"], epsilon)
            if config["model_type"] != "mixtral":                             # Shazeer 2020
                x[t] = x[t] + linear(activation(linear(v, "mlp.gate_proj")) * linear(v, "mlp.up_proj"), "mlp.down_proj")
                continue
            scores = linear(v, "block_sparse_moe.gate").tolist()              # Jiang et al. 2024, section 2.1
            chosen = sorted(range(len(scores)), key=lambda e: -scores[e])[:config["num_experts_per_tok"]]
            total = sum(math.exp(scores[e]) for e in chosen)
            for e in chosen:
                expert = f"block_sparse_moe.experts.{e}."
                out = linear(activation(linear(v, expert + "w1")) * linear(v, expert + "w3"), expert + "w2")
                x[t] = x[t] + math.exp(scores[e]) / total * out
    head_weight = w["model.embed_tokens.weight"] if config["tie_word_embeddings"] else w["lm_head.weight"]
    return torch.stack([head_weight @ rms_norm(v, w["model.norm.weight"], epsilon) for v in x])


# Weights.

def gpt2_shapes(config):
    width, inner = config["n_embd"], config["n_inner"] or 4 * config["n_embd"]
    shapes = {"wte.weight": [config["vocab_size"], width], "wpe.weight": [config["n_positions"], width]}
    for i in range(config["n_layer"]):
        for name, shape in {"ln_1": [width], "attn.c_attn": [width, 3 * width], "attn.c_proj": [width, width], "ln_2": [width],
                            "mlp.c_fc": [width, inner], "mlp.c_proj": [inner, width]}.items():
            shapes[f"h.{i}.{name}.weight"], shapes[f"h.{i}.{name}.bias"] = shape, shape[-1:]
    shapes["ln_f.weight"], shapes["ln_f.bias"] = [width], [width]
    if not config["tie_word_embeddings"]:
        shapes["lm_head.weight"] = [config["vocab_size"], width]
    return shapes


def llama_shapes(config):
    kind, width, inner = config["model_type"], config["hidden_size"], config["intermediate_size"]
    heads, groups = config["num_attention_heads"], config["num_key_value_heads"]
    size = config.get("head_dim") or width // heads
    shapes = {"model.embed_tokens.weight": [config["vocab_size"], width]}
    for i in range(config["num_hidden_layers"]):
        block = f"model.layers.{i}."
        shapes[block + "input_layernorm.weight"] = shapes[block + "post_attention_layernorm.weight"] = [width]
        for name, rows in (("q_proj", heads * size), ("k_proj", groups * size), ("v_proj", groups * size)):
            shapes[block + f"self_attn.{name}.weight"] = [rows, width]
            if kind == "qwen2" or config.get("attention_bias"):
                shapes[block + f"self_attn.{name}.bias"] = [rows]
        shapes[block + "self_attn.o_proj.weight"] = [width, heads * size]
        if config.get("attention_bias"):
            shapes[block + "self_attn.o_proj.bias"] = [width]
        if kind == "qwen3":
            shapes[block + "self_attn.q_norm.weight"] = shapes[block + "self_attn.k_norm.weight"] = [size]
        if kind == "mixtral":
            shapes[block + "block_sparse_moe.gate.weight"] = [config["num_local_experts"], width]
            for e in range(config["num_local_experts"]):
                for name, shape in (("w1", [inner, width]), ("w2", [width, inner]), ("w3", [inner, width])):
                    shapes[block + f"block_sparse_moe.experts.{e}.{name}.weight"] = shape
        else:
            for name, shape in (("gate_proj", [inner, width]), ("up_proj", [inner, width]), ("down_proj", [width, inner])):
                shapes[block + f"mlp.{name}.weight"] = shape
                if config.get("mlp_bias"):
                    shapes[block + f"mlp.{name}.bias"] = shape[:1]
    shapes["model.norm.weight"] = [width]
    if not config["tie_word_embeddings"]:
        shapes["lm_head.weight"] = [config["vocab_size"], width]
    return shapes


def make(name, seed, config, dtype, prefix="", shards=1, extra=None):
    generator = torch.Generator().manual_seed(seed)
    gpt2 = config["model_type"] == "gpt2"
    weights = {}
    for key, shape in (gpt2_shapes if gpt2 else llama_shapes)(config).items():
        numbers = torch.randn(shape, generator=generator, dtype=torch.float64)
        if len(shape) == 2:
            numbers = numbers * (1.0 if "embed" in key or "wte" in key else 1.5 / math.sqrt(shape[0 if gpt2 else 1]))
        else:
            numbers = numbers * 0.3 + (0 if key.endswith("bias") else 1)
        weights[key] = numbers.to(TYPES[dtype])
    ids = torch.randint(config["vocab_size"], [2, T], generator=generator)
    exact = {key: value.to(torch.float64) for key, value in weights.items()}
    logits = torch.stack([(gpt2_logits if gpt2 else llama_logits)(config, exact, row.tolist()) for row in ids])

    folder = os.path.join(HERE, name)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "config.json"), "w") as file:
        json.dump(config, file, indent=1)
        file.write("\n")
    stored = {(key if key == "lm_head.weight" else prefix + key): value for key, value in weights.items()}
    stored.update(extra or {})
    names = list(stored)
    if shards == 1:
        write_safetensors(os.path.join(folder, "model.safetensors"), stored)
    else:
        index = {}
        for i in range(shards):
            file = f"model-{i + 1:05}-of-{shards:05}.safetensors"
            part = {key: stored[key] for key in names[i::shards]}
            write_safetensors(os.path.join(folder, file), part)
            index.update({key: file for key in part})
        with open(os.path.join(folder, "model.safetensors.index.json"), "w") as file:
            json.dump({"metadata": {}, "weight_map": index}, file)
    write_safetensors(os.path.join(folder, "golden.safetensors"), {"ids": ids, "logits": logits})
    print(f"{name}: {sum(value.numel() for value in weights.values())} weights, logits from {float(logits.min()):.3f} to {float(logits.max()):.3f}")
    return name, config, exact, ids


def make_adapter(base, seed, rank, alpha, targets, rslora=False):
    """An adapter (Hu et al. 2021, equation 3) as PEFT's files hold it, with the logits of the base plus s B A; s as in Kalajdzievski 2023 where rslora."""
    name, config, exact, ids = base
    gpt2 = config["model_type"] == "gpt2"
    generator = torch.Generator().manual_seed(seed)
    scale = alpha / (math.sqrt(rank) if rslora else rank)
    adapted, stored = dict(exact), {}
    for key, weight in exact.items():
        module = key[:-len(".weight")]
        if not key.endswith(".weight") or weight.dim() != 2 or module.split(".")[-1] not in targets:
            continue
        inputs, outputs = weight.shape if gpt2 else reversed(weight.shape)
        a = torch.randn([rank, inputs], generator=generator) * 0.3
        b = torch.randn([outputs, rank], generator=generator) * 0.3
        change = scale * b.to(torch.float64) @ a.to(torch.float64)
        adapted[key] = weight + (change.T if gpt2 else change)
        full = "base_model.model." + ("transformer." if gpt2 else "") + module
        stored[full + ".lora_A.weight"], stored[full + ".lora_B.weight"] = a, b
    logits = torch.stack([(gpt2_logits if gpt2 else llama_logits)(config, adapted, row.tolist()) for row in ids])

    folder = os.path.join(HERE, "../../Adapters/Golden", name)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "adapter_config.json"), "w") as file:
        json.dump({"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": rank, "lora_alpha": alpha, "lora_dropout": 0.1, "use_rslora": rslora, "target_modules": targets, "bias": "none",
                   "fan_in_fan_out": gpt2, "inference_mode": True, "use_dora": False, "modules_to_save": None}, file, indent=1)
        file.write("\n")
    write_safetensors(os.path.join(folder, "adapter_model.safetensors"), stored)
    write_safetensors(os.path.join(folder, "golden.safetensors"), {"ids": ids, "logits": logits})
    print(f"{name} with {len(stored) // 2} adapters: logits from {float(logits.min()):.3f} to {float(logits.max()):.3f}")


def gpt2(**changes):
    return {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "vocab_size": V, "n_positions": 24, "n_embd": 12, "n_layer": 2, "n_head": 3, "n_inner": None,
            "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5, "attn_pdrop": 0.1, "embd_pdrop": 0.1, "resid_pdrop": 0.1, "tie_word_embeddings": True,
            "bos_token_id": 0, "eos_token_id": 0, **changes}


def llama(kind, **changes):
    return {"model_type": kind, "vocab_size": V, "max_position_embeddings": 64, "hidden_size": C, "intermediate_size": F, "num_hidden_layers": L, "num_attention_heads": H,
            "num_key_value_heads": G, "hidden_act": "silu", "rms_norm_eps": 1e-5, "rope_theta": 100.0, "tie_word_embeddings": False, "bos_token_id": 1, "eos_token_id": [2, 3], **changes}


gpt2_base = make("gpt2", 1, gpt2(), "F64", prefix="transformer.")
make("gpt2-untied", 2, gpt2(n_inner=20, activation_function="relu", layer_norm_epsilon=1e-3, tie_word_embeddings=False), "F32",
     extra={"h.0.attn.bias": torch.ones(1, 1, 24, 24).tril(), "h.1.attn.bias": torch.ones(1, 1, 24, 24).tril()})
llama_base = make("llama", 3, llama("llama", num_key_value_heads=H, attention_bias=True, mlp_bias=True, rope_scaling=None), "F32")
make("llama-linear", 4, llama("llama", tie_word_embeddings=True, rope_scaling={"type": "linear", "factor": 4.0}), "F32")
make("llama-dynamic", 5, llama("llama", num_hidden_layers=1, rope_scaling={"type": "dynamic", "factor": 2.0}), "F32")
llama3 = llama("llama", head_dim=12, rope_parameters={"rope_type": "llama3", "rope_theta": 100.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                                         "original_max_position_embeddings": 32})
del llama3["rope_theta"]
make("llama-llama3", 6, llama3, "F32")
make("mistral", 7, llama("mistral", head_dim=D, sliding_window=5, num_key_value_heads=1), "BF16")
make("qwen2", 8, llama("qwen2", use_sliding_window=True, sliding_window=4, max_window_layers=1, tie_word_embeddings=True), "F16")
make("qwen2-yarn", 9, llama("qwen2", use_sliding_window=False, sliding_window=4, max_window_layers=1,
                            rope_scaling={"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32, "beta_fast": 4.0}), "F32")
make("qwen3", 10, llama("qwen3", head_dim=D, use_sliding_window=True, sliding_window=6, layer_types=["sliding_attention", "full_attention", "sliding_attention"]), "F32")
make("qwen3-yarn", 11, llama("qwen3", head_dim=12, tie_word_embeddings=True, use_sliding_window=False, sliding_window=None, num_hidden_layers=2,
                             rope_scaling={"rope_type": "yarn", "factor": 2.0, "original_max_position_embeddings": 40, "attention_factor": 1.3, "beta_fast": 6.0, "beta_slow": 0.5,
                                           "truncate": False}), "F32")
make("smollm3", 12, llama("smollm3", tie_word_embeddings=True, no_rope_layers=[1, 0, 1], no_rope_layer_interval=4, use_sliding_window=False, sliding_window=None), "F32")
mixtral_base = make("mixtral", 13, llama("mixtral", sliding_window=7, num_local_experts=4, num_experts_per_tok=2, num_hidden_layers=2, intermediate_size=12,
                                         router_aux_loss_coef=0.02, output_router_logits=False), "F32", shards=3)

make_adapter(gpt2_base, 21, 3, 6, ["c_attn", "c_proj", "c_fc"])
make_adapter(llama_base, 22, 4, 10, ["q_proj", "v_proj", "up_proj", "down_proj"], rslora=True)
make_adapter(mixtral_base, 23, 2, 3, ["k_proj", "o_proj", "gate", "w1", "w2", "w3"])
