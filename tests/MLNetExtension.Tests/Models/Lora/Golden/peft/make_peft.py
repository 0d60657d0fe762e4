#!/usr/bin/env python3
"""Writes adapters that PEFT itself made on the models in ../../../Golden, moved away from where they start, with the logits and the gradients of all that is trained, in float64.

Ran with python 3.12.3, torch 2.11.0, transformers 5.17.0, peft 0.21.0, on the CPU. Usage: python3 make_peft.py, from anywhere; it writes beside itself. It needs no network. In each adapter_config.json,
base_model_name_or_path was then set to the name of the model's folder.
"""
import os

os.environ["HF_HUB_OFFLINE"] = os.environ["TRANSFORMERS_OFFLINE"] = "1"
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

HERE = os.path.dirname(os.path.abspath(__file__))
BASES = os.path.join(HERE, "../../../Golden")


def move(model, seed):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for key, parameter in sorted(model.named_parameters()):
            if parameter.requires_grad:
                parameter.add_((torch.randn(parameter.shape, generator=generator) * 0.2).to(parameter.dtype))


def write(name, base, seed, **options):
    ids = load_file(os.path.join(BASES, base, "golden.safetensors"))["ids"]
    model = AutoModelForCausalLM.from_pretrained(os.path.join(BASES, base), attn_implementation="eager").float().eval()
    model = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", lora_dropout=0.0, **options)).eval()
    folder, initial = os.path.join(HERE, name), os.path.join(HERE, "initial-" + name)
    pissa = options.get("init_lora_weights") == "pissa"
    if pissa:                                                                   # what it starts from, which the conversion takes off
        model.peft_config["default"].init_lora_weights = True
        model.save_pretrained(initial)
        model.peft_config["default"].init_lora_weights = "pissa"
    move(model, seed)
    model.save_pretrained(folder, save_embedding_layers=False)
    if pissa:
        model.save_pretrained(folder + "-converted", path_initial_model_for_weight_conversion=initial, save_embedding_layers=False)
        model.peft_config["default"].r = options["r"]
    model = model.double()
    logits = model(ids).logits
    torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten()).backward()
    gradients = {}
    for key, parameter in model.named_parameters():
        if parameter.requires_grad:
            for old, new in (("base_model.model.", ""), (".modules_to_save.default", ""), (".default", ""), ("lora_magnitude_vector.weight", "lora_magnitude_vector")):
                key = key.replace(old, new, 1)
            gradients["gradient." + key] = parameter.grad.contiguous()
    save_file({"ids": ids, "logits": logits.detach().contiguous(), **gradients}, os.path.join(folder, "golden.safetensors"))


write("gpt2-dora-tied", "gpt2", 1, r=3, lora_alpha=6, use_dora=True, target_modules="all-linear", fan_in_fan_out=True, modules_to_save=["wte", "lm_head"], ensure_weight_tying=True)
write("gpt2-dora", "gpt2", 2, r=3, lora_alpha=6, use_dora=True, target_modules=["c_attn", "c_fc"], fan_in_fan_out=True, modules_to_save=["wpe"])
write("llama-dora", "llama", 3, r=4, lora_alpha=10, use_rslora=True, use_dora=True, target_modules="all-linear", modules_to_save=["lm_head", "embed_tokens"])
write("llama-pissa", "llama", 4, r=3, lora_alpha=7, init_lora_weights="pissa", target_modules="all-linear")
write("llama-orthogonal", "llama", 5, r=4, lora_alpha=7, init_lora_weights="orthogonal", target_modules=["q_proj", "up_proj"])
write("tied-llama-dora", "llama-linear", 6, r=3, lora_alpha=7, use_dora=True, target_modules=["q_proj", "v_proj", "down_proj"], modules_to_save=["embed_tokens"], ensure_weight_tying=True)
