#!/usr/bin/env python3
"""Writes small models as Hugging Face's files hold them, and adapters as PEFT's do, with the logits that they give, computed in float64.

Ran on Debian 12: python3 3.11.2, python3-torch 1.13.1 (no other package). Usage: python3 make_golden.py, from anywhere; it writes beside itself; adapters into Lora/Golden.

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


ACTIVATIONS = {"gelu": gelu, "gelu_new": gelu_new, "gelu_pytorch_tanh": gelu_new, "silu": silu, "relu": lambda x: torch.clamp(x, min=0)}


def attend(query, keys, values, first, scalar=None, cap=None):
    """One query [D] over the keys [S,D] from `first` on (Vaswani et al. 2017, equation 1); with a divisor of its own and a cap in Gemma 2 (Gemma team 2024, section 2)."""
    scores = [float(query @ keys[s]) / math.sqrt(scalar or len(query)) for s in range(first, len(keys))]
    if cap:
        scores = [cap * math.tanh(score / cap) for score in scores]
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


def frequencies(config, size, length, local=False):
    """Radians per position of a row of that length, and what the attention's queries and keys are multiplied by."""
    if local:                                                                 # Gemma team 2025, "Gemma 3", section 2: layers with a window have a base of their own
        theta = config["rope_parameters"]["sliding_attention"]["rope_theta"] if "rope_parameters" in config else config["rope_local_base_freq"]
        return [theta ** (-2 * i / size) for i in range(size // 2)], 1.0
    size = int(size * config.get("partial_rotary_factor", 1.0))               # of Phi 3: the rest is not rotated
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    rope = rope.get("full_attention", rope)
    theta = rope.get("rope_theta", config.get("rope_theta"))
    plain = [theta ** (-2 * i / size) for i in range(size // 2)]             # Su et al. 2021, section 3.2.2
    kind = rope.get("rope_type", rope.get("type", "default"))
    if kind in ("default", "dynamic"):                                        # dynamic: as long as rows are no longer than the context
        return plain, 1.0
    if kind in ("longrope", "su"):                                            # Ding et al. 2024; sqrt as released with Phi 3 by Microsoft
        original = config["original_max_position_embeddings"]
        divisors = rope["long_factor" if length > original else "short_factor"]
        ratio = config["max_position_embeddings"] / original
        amplitude = rope.get("attention_factor") or (math.sqrt(1 + math.log(ratio) / math.log(original)) if ratio > 1 else 1.0)
        return [f / divisor for f, divisor in zip(plain, divisors)], amplitude
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
    """Coordinates i and i + D/2 are a complex number, turned by the position times its frequency; coordinates past D, for which there is no frequency, stay."""
    half = len(turns)
    z = torch.complex(vector[:half], vector[half:2 * half]) * torch.tensor([complex(math.cos(position * f), math.sin(position * f)) for f in turns], dtype=torch.complex128) * amplitude
    return torch.cat([z.real, z.imag, vector[2 * half:]])


def window_of(config, layer):
    kind, window = config["model_type"], config.get("sliding_window")
    if kind in ("mistral", "mixtral", "phi3"):                                      # Jiang et al. 2023, section 2
        return window
    if kind in ("qwen2", "qwen3") and config["use_sliding_window"]:
        if "layer_types" in config:
            return window if config["layer_types"][layer] == "sliding_attention" else None
        return window if layer >= config["max_window_layers"] else None
    if kind in ("gemma2", "gemma3_text"):                                     # two in turn; five and one
        if "layer_types" in config:
            return window if config["layer_types"][layer] == "sliding_attention" else None
        return window if (layer + 1) % config.get("sliding_window_pattern", 2 if kind == "gemma2" else 6) != 0 else None
    return None


def has_experts(config, layer):
    if config["model_type"] == "qwen3_moe":
        return layer not in config["mlp_only_layers"] and (layer + 1) % config["decoder_sparse_step"] == 0
    return config["model_type"] == "mixtral"


def unpack_phi3(config, w):
    """The joined matrices of Phi 3 as those of the others: rows of queries, then keys, then values; rows of the gate, then of the other."""
    heads, groups = config["num_attention_heads"], config["num_key_value_heads"]
    size = config["hidden_size"] // heads
    parts = {}
    for key, value in w.items():
        if "qkv_proj" in key:
            for name, rows in zip(("q_proj", "k_proj", "v_proj"), torch.split(value, [heads * size, groups * size, groups * size])):
                parts[key.replace("qkv_proj", name)] = rows
        elif "gate_up_proj" in key:
            for name, rows in zip(("gate_proj", "up_proj"), torch.chunk(value, 2)):
                parts[key.replace("gate_up_proj", name)] = rows
        else:
            parts[key] = value
    return parts


def llama_logits(config, w, ids):
    heads, groups = config["num_attention_heads"], config["num_key_value_heads"]
    size = config.get("head_dim") or config["hidden_size"] // heads
    kind, epsilon = config["model_type"], config["rms_norm_eps"]
    gemma, olmo = kind in ("gemma2", "gemma3_text"), kind == "olmo2"
    activation = ACTIVATIONS[config["hidden_activation" if gemma else "hidden_act"]]
    w = unpack_phi3(config, w) if kind == "phi3" else w
    x = [w["model.embed_tokens.weight"][i] * (math.sqrt(config["hidden_size"]) if gemma else 1) for i in ids]

    def normalize(v, name):
        """As it is, where there is no such norm."""
        if name + ".weight" not in w:
            return v
        return rms_norm(v, w[name + ".weight"] + (1 if gemma else 0), epsilon)

    for layer in range(config["num_hidden_layers"]):
        block = f"model.layers.{layer}."

        def linear(v, name):
            result = w[block + name + ".weight"] @ v
            return result + w[block + name + ".bias"] if block + name + ".bias" in w else result

        def head(v, name, norm, h, position, turned):
            part = linear(v, f"self_attn.{name}")                             # Henry et al. 2020, with RMS norms: of each head, or in OLMo 2 of all
            part = normalize(part, block + "self_attn." + norm)[h * size:(h + 1) * size] if olmo else normalize(part[h * size:(h + 1) * size], block + "self_attn." + norm)
            return rotate(part, position, turns, amplitude) if turned else part

        turned = config["model_type"] != "smollm3" or config["no_rope_layers"][layer] == 1
        window = window_of(config, layer)
        turns, amplitude = frequencies(config, size, len(ids), local=kind == "gemma3_text" and window is not None)
        normed = [normalize(v, block + "input_layernorm") for v in x]
        mixed = [[] for _ in x]
        for h in range(heads):
            g = h // (heads // groups)                                        # Ainslie et al. 2023
            keys = [head(v, "k_proj", "k_norm", g, t, turned) for t, v in enumerate(normed)]
            values = [linear(v, "self_attn.v_proj")[g * size:(g + 1) * size] for v in normed]
            for t, v in enumerate(normed):
                first = 0 if window is None else max(0, t - window + 1)
                mixed[t].append(attend(head(v, "q_proj", "q_norm", h, t, turned), keys[:t + 1], values[:t + 1], first, config.get("query_pre_attn_scalar"), config.get("attn_logit_softcapping")))
        # Llama has one norm before attention and one before the feed-forward network, OLMo 2 one after each, Gemma both, and the names of the four differ.
        after_attention, before_mlp = ("post_attention_layernorm", "pre_feedforward_layernorm") if gemma or olmo else ("", "post_attention_layernorm")
        x = [v + normalize(linear(torch.cat(m), "self_attn.o_proj"), block + after_attention) for v, m in zip(x, mixed)]

        for t, v in enumerate(x):
            v = normalize(v, block + before_mlp)
            if not has_experts(config, layer):                                # Shazeer 2020
                out = linear(activation(linear(v, "mlp.gate_proj")) * linear(v, "mlp.up_proj"), "mlp.down_proj")
                x[t] = x[t] + normalize(out, block + "post_feedforward_layernorm")
                continue
            module, gate, up, down = ("block_sparse_moe.", "w1", "w3", "w2") if kind == "mixtral" else ("mlp.", "gate_proj", "up_proj", "down_proj")
            scores = linear(v, module + "gate").tolist()                      # Jiang et al. 2024, section 2.1
            chosen = sorted(range(len(scores)), key=lambda e: -scores[e])[:config["num_experts_per_tok"]]
            total = sum(math.exp(scores[e]) for e in (chosen if config.get("norm_topk_prob", True) else range(len(scores))))
            for e in chosen:
                expert = f"{module}experts.{e}."
                out = linear(activation(linear(v, expert + gate)) * linear(v, expert + up), expert + down)
                x[t] = x[t] + math.exp(scores[e]) / total * out
    head_weight = w["model.embed_tokens.weight"] if config["tie_word_embeddings"] else w["lm_head.weight"]
    logits = torch.stack([head_weight @ normalize(v, "model.norm") for v in x])
    cap = config.get("final_logit_softcapping")
    return cap * torch.tanh(logits / cap) if cap else logits


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
        norms = {"olmo2": ["post_attention_layernorm", "post_feedforward_layernorm"]}.get(kind, ["input_layernorm", "post_attention_layernorm"])
        for name in norms + (["pre_feedforward_layernorm", "post_feedforward_layernorm"] if kind.startswith("gemma") else []):
            shapes[block + name + ".weight"] = [width]
        joined = (("qkv_proj", (heads + 2 * groups) * size),)
        for name, rows in joined if kind == "phi3" else (("q_proj", heads * size), ("k_proj", groups * size), ("v_proj", groups * size)):
            shapes[block + f"self_attn.{name}.weight"] = [rows, width]
            if kind == "qwen2" or config.get("attention_bias"):
                shapes[block + f"self_attn.{name}.bias"] = [rows]
        shapes[block + "self_attn.o_proj.weight"] = [width, heads * size]
        if config.get("attention_bias"):
            shapes[block + "self_attn.o_proj.bias"] = [width]
        if kind in ("qwen3", "qwen3_moe", "gemma3_text"):
            shapes[block + "self_attn.q_norm.weight"] = shapes[block + "self_attn.k_norm.weight"] = [size]
        if kind == "olmo2":
            shapes[block + "self_attn.q_norm.weight"], shapes[block + "self_attn.k_norm.weight"] = [heads * size], [groups * size]
        if has_experts(config, i):
            mixtral = kind == "mixtral"
            module, gate, down, up = ("block_sparse_moe", "w1", "w2", "w3") if mixtral else ("mlp", "gate_proj", "down_proj", "up_proj")
            experts, expert = config["num_local_experts" if mixtral else "num_experts"], inner if mixtral else config["moe_intermediate_size"]
            shapes[block + module + ".gate.weight"] = [experts, width]
            for e in range(experts):
                for name, shape in ((gate, [expert, width]), (down, [width, expert]), (up, [expert, width])):
                    shapes[block + f"{module}.experts.{e}.{name}.weight"] = shape
        elif kind == "phi3":
            shapes[block + "mlp.gate_up_proj.weight"], shapes[block + "mlp.down_proj.weight"] = [2 * inner, width], [width, inner]
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
            numbers = numbers * 0.3 + (0 if key.endswith("bias") or config["model_type"].startswith("gemma") else 1)
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

    folder = os.path.join(HERE, "../Lora/Golden", name)
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
make("olmo2", 14, llama("olmo2", num_hidden_layers=2), "F32")
make("qwen3-moe", 15, llama("qwen3_moe", head_dim=D, num_hidden_layers=4, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=10, decoder_sparse_step=2, mlp_only_layers=[3],
                            norm_topk_prob=False, use_sliding_window=False, sliding_window=None, max_window_layers=4, router_aux_loss_coef=0.02, output_router_logits=False), "F32")
make("qwen3-moe-sum", 16, llama("qwen3_moe", head_dim=D, num_hidden_layers=2, num_experts=5, num_experts_per_tok=3, moe_intermediate_size=6, decoder_sparse_step=1, mlp_only_layers=[],
                                norm_topk_prob=True, use_sliding_window=False, sliding_window=4096), "BF16")
make("phi3", 17, llama("phi3", num_hidden_layers=2, sliding_window=5, rope_scaling=None, attention_bias=False, embd_pdrop=0.0, resid_pdrop=0.0, original_max_position_embeddings=64), "BF16")
phi3 = llama("phi3", num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1, partial_rotary_factor=0.75, tie_word_embeddings=True, sliding_window=None)
short, long = [1.05, 1.3, 2.0], [1.5, 4.0, 9.0]
make("phi3-longrope-short-row", 18, {**phi3, "original_max_position_embeddings": 32, "rope_scaling": {"type": "longrope", "short_factor": short, "long_factor": long}}, "F32")
make("phi3-longrope-long-row", 18, {**phi3, "original_max_position_embeddings": 7, "rope_scaling": {"type": "su", "short_factor": short, "long_factor": long}}, "F32")
make("phi3-longrope-factor", 19, {**phi3, "original_max_position_embeddings": 7, "rope_scaling": {"type": "longrope", "short_factor": short, "long_factor": long, "attention_factor": 1.2}}, "F32")


def gemma(kind, **changes):
    config = llama(kind, hidden_size=20, head_dim=D, tie_word_embeddings=True, query_pre_attn_scalar=10, hidden_activation="gelu_pytorch_tanh", sliding_window=4, **changes)
    del config["hidden_act"]
    return config


make("gemma2", 20, gemma("gemma2", attn_logit_softcapping=2.0, final_logit_softcapping=3.0, cache_implementation="hybrid"), "BF16")
make("gemma2-uncapped", 24, gemma("gemma2", num_hidden_layers=2, attn_logit_softcapping=None, final_logit_softcapping=None, layer_types=["full_attention", "sliding_attention"], attention_bias=True), "F32")
make("gemma3", 25, gemma("gemma3_text", num_hidden_layers=4, sliding_window_pattern=3, rope_local_base_freq=20.0, rope_scaling={"rope_type": "linear", "factor": 8.0},
                         attn_logit_softcapping=None, final_logit_softcapping=None), "BF16")
gemma3 = gemma("gemma3_text", num_hidden_layers=2, layer_types=["sliding_attention", "full_attention"], final_logit_softcapping=4.0, use_bidirectional_attention=False,
               rope_parameters={"full_attention": {"rope_type": "default", "rope_theta": 100.0}, "sliding_attention": {"rope_type": "default", "rope_theta": 15.0}})
make("gemma3-rope-parameters", 26, gemma3, "F32")

make_adapter(gpt2_base, 21, 3, 6, ["c_attn", "c_proj", "c_fc"])
make_adapter(llama_base, 22, 4, 10, ["q_proj", "v_proj", "up_proj", "down_proj"], rslora=True)
make_adapter(mixtral_base, 23, 2, 3, ["k_proj", "o_proj", "gate", "w1", "w2", "w3"])
