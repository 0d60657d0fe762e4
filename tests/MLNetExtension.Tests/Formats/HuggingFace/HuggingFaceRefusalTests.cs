using System.Text.Json.Nodes;
using MLNetExtension.Formats.HuggingFace;
using MLNetExtension.Safetensors;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Formats.HuggingFace;

/// <summary>A faulty checkpoint is refused before anything is allocated; the message names the fault.</summary>
[TestClass]
public sealed class HuggingFaceRefusalTests
{
    [TestMethod]
    [DataRow("llama", "model_type", "\"bert\"", "'model_type' is 'bert', which is not supported. Known are: gpt2, llama, mistral, mixtral, qwen2, qwen3, smollm3, olmo2, qwen3_moe, phi3, gemma2, gemma3_text, gemma3.")]
    [DataRow("gemma3", "model_type", "\"gemma3n\"", "'model_type' is 'gemma3n', which is not supported.")]
    [DataRow("llama", "hidden_act", "\"tanh\"", "'hidden_act' is 'tanh', which is not supported. Known are: gelu, gelu_new")]
    [DataRow("llama", "rope_scaling", """{"type":"ntk","factor":2}""", "'rope_scaling': 'type' is 'ntk', which is not supported. Known are: default, linear, dynamic, llama3, yarn, longrope")]
    [DataRow("llama", "rope_scaling", """{"type":"longrope","factor":2,"original_max_position_embeddings":16,"short_factor":[1,1],"long_factor":[1,1]}""", "'factor' is 2, but the context is 4 times as long as 'original_max_position_embeddings', 16; only equal ones are supported.")]
    [DataRow("phi3", "rope_scaling", """{"type":"longrope","short_factor":[1,1],"long_factor":[1,1],"short_mscale":1.2}""", "'rope_scaling': 'short_mscale' is not known")]
    [DataRow("phi3", "resid_pdrop", "0.1", "'resid_pdrop' is 0.1, which is not supported; expected 0.0")]
    [DataRow("phi3", "embd_pdrop", "0.1", "'embd_pdrop' is 0.1, which is not supported; expected 0.0")]
    [DataRow("phi3", "attention_bias", "true", "'attention_bias' is true, which is not supported; expected false")]
    [DataRow("phi3", "lm_head_bias", "true", "'lm_head_bias' is true, which is not supported; expected false")]
    [DataRow("olmo2", "clip_qkv", "8.0", "'clip_qkv' is not known")]
    [DataRow("olmo2", "sliding_window", "4", "'sliding_window' is not known")]
    [DataRow("olmo2", "partial_rotary_factor", "0.5", "'partial_rotary_factor' is 0.5, which is not supported; expected 1.0")]
    [DataRow("qwen3-moe", "use_sliding_window", "true", "'use_sliding_window' is true, which is not supported; expected false")]
    [DataRow("qwen3-moe", "shared_expert_intermediate_size", "8", "'shared_expert_intermediate_size' is not known")]
    [DataRow("gemma2", "use_bidirectional_attention", "true", "'use_bidirectional_attention' is true, which is not supported; expected false")]
    [DataRow("gemma3", "use_bidirectional_attention", "true", "'use_bidirectional_attention' is true, which is not supported; expected false")]
    [DataRow("gemma3", "attn_logit_softcapping", "50.0", "'attn_logit_softcapping' is 50.0, which is not supported; expected null")]
    [DataRow("gemma3-rope-parameters", "rope_parameters", """{"full_attention":{"rope_theta":100},"sliding_attention":{"rope_type":"linear","factor":2}}""", "'sliding_attention': 'rope_type' is \"linear\", which is not supported; expected \"default\"")]
    [DataRow("llama", "rope_scaling", """{"rope_type":"linear","factor":2,"mscale":1}""", "'rope_scaling': 'mscale' is not known")]
    [DataRow("llama", "sliding_window", "4", "'sliding_window' is not known, and may change what the model computes; known are: ")]
    [DataRow("llama", "logits_scaling", "8.0", "'logits_scaling' is not known")]
    [DataRow("llama", "quantization_config", """{"bits":4}""", "'quantization_config' is not known")]
    [DataRow("llama", "partial_rotary_factor", "0.5", "'partial_rotary_factor' is 0.5, which is not supported; expected 1.0")]
    [DataRow("llama", "rope_interleaved", "true", "'rope_interleaved' is true, which is not supported; expected false")]
    [DataRow("mixtral", "router_jitter_noise", "0.1", "'router_jitter_noise' is 0.1, which is not supported; expected 0.0")]
    [DataRow("gpt2", "scale_attn_by_inverse_layer_idx", "true", "'scale_attn_by_inverse_layer_idx' is true, which is not supported; expected false")]
    [DataRow("gpt2", "embd_pdrop", "0.2", "'embd_pdrop' is 0.2 and 'resid_pdrop' 0.1; only equal ones are supported")]
    public void An_option_that_is_not_supported_is_named(string model, string key, string value, string expected) =>
        Assert.Contains(expected, Refused<NotSupportedException>(model, copy => copy.Set(key, value)));

    // Keys that published files of these families have, besides those of the golden models.
    [TestMethod]
    [DataRow("gpt2", "_num_labels", "1")]
    [DataRow("gpt2", "task_specific_params", """{"text-generation":{"do_sample":true,"max_length":50}}""")]
    [DataRow("gpt2", "n_ctx", "1024")]
    [DataRow("llama", "rope_interleaved", "false")]
    [DataRow("llama", "pretraining_tp", "1")]
    [DataRow("llama", "torch_dtype", "\"bfloat16\"")]
    [DataRow("llama", "quantization_config", "null")]
    [DataRow("qwen2", "use_mrope", "false")]
    [DataRow("smollm3", "max_window_layers", "28")]
    [DataRow("smollm3", "layer_types", "[\"full_attention\",\"full_attention\",\"full_attention\"]")]
    [DataRow("mixtral", "router_jitter_noise", "0")]
    [DataRow("gemma2", "hidden_act", "\"gelu_pytorch_tanh\"")]
    [DataRow("gemma3", "_sliding_window_pattern", "6")]
    [DataRow("gemma3", "use_bidirectional_attention", "false")]
    [DataRow("phi3", "full_attn_mod", "1")]
    [DataRow("phi3", "interpolate_factor", "1")]
    [DataRow("qwen3-moe", "num_local_experts", "4")]
    public void What_changes_nothing_is_let_through(string model, string key, string value)
    {
        using CheckpointCopy copy = new(model);
        copy.Set(key, value);
        HuggingFaceModel.Load(copy.Path).Dispose();
    }

    // Every key that PretrainedConfig itself writes, in any of transformers' versions 4 and 5, with its default: files saved without use_diff have them all.
    [TestMethod]
    [DataRow("llama")]
    [DataRow("gpt2")]
    public void The_base_class_s_keys_at_their_defaults_are_let_through(string model)
    {
        const string Defaults = """
            {
              "return_dict": true, "output_hidden_states": false, "output_attentions": false, "torchscript": false, "torch_dtype": "float32", "dtype": "float32", "use_bfloat16": false,
              "tf_legacy_loss": false, "pruned_heads": {}, "chunk_size_feed_forward": 0, "is_encoder_decoder": false, "is_decoder": false, "cross_attention_hidden_size": null,
              "add_cross_attention": false, "tie_encoder_decoder": false, "max_length": 20, "min_length": 0, "do_sample": false, "early_stopping": false, "num_beams": 1, "num_beam_groups": 1,
              "diversity_penalty": 0.0, "temperature": 1.0, "top_k": 50, "top_p": 1.0, "typical_p": 1.0, "repetition_penalty": 1.0, "length_penalty": 1.0, "no_repeat_ngram_size": 0,
              "encoder_no_repeat_ngram_size": 0, "bad_words_ids": null, "num_return_sequences": 1, "output_scores": false, "return_dict_in_generate": false, "forced_bos_token_id": null,
              "forced_eos_token_id": null, "remove_invalid_values": false, "exponential_decay_length_penalty": null, "suppress_tokens": null, "begin_suppress_tokens": null,
              "architectures": null, "finetuning_task": null, "id2label": {"0": "LABEL_0", "1": "LABEL_1"}, "label2id": {"LABEL_0": 0, "LABEL_1": 1}, "num_labels": 2, "_num_labels": 2,
              "tokenizer_class": null, "prefix": null, "bos_token_id": null, "pad_token_id": null, "eos_token_id": null, "sep_token_id": null, "decoder_start_token_id": null,
              "task_specific_params": null, "problem_type": null, "_name_or_path": "", "name_or_path": "", "_commit_hash": null, "transformers_version": "4.57.0", "gradient_checkpointing": false,
              "_attn_implementation": "sdpa", "_attn_implementation_internal": "sdpa", "_attn_implementation_autoset": true, "attn_implementation": null, "experts_implementation": null,
              "_experts_implementation": "eager", "_experts_implementation_internal": "eager", "_output_attentions": false, "per_layer_config": null, "quantization_config": null, "output_past": true,
              "xla_device": false, "is_composition": false, "keys_to_ignore_at_inference": ["past_key_values"], "auto_map": {"AutoConfig": "configuration_x.XConfig"}, "base_model_tp_plan": {},
              "base_model_pp_plan": {}, "base_model_ep_plan": {}, "base_model_fsdp_plan": {}, "distributed_config": {}, "ignore_keys_at_rope_validation": [], "eos_token_ids": 0,
              "use_cache": true
            }
            """;
        using CheckpointCopy copy = new(model);
        foreach ((string key, JsonNode? value) in JsonNode.Parse(Defaults)!.AsObject())
            copy.Set(key, value?.ToJsonString() ?? "null");
        HuggingFaceModel.Load(copy.Path).Dispose();
    }

    [TestMethod]
    [DataRow("is_encoder_decoder", "true")]
    [DataRow("add_cross_attention", "true")]
    [DataRow("tie_encoder_decoder", "true")]
    [DataRow("cross_attention_hidden_size", "8")]
    [DataRow("pruned_heads", """{"0":[1]}""")]
    [DataRow("per_layer_config", """{"0":{"hidden_act":"relu"}}""")]
    public void The_base_class_s_keys_that_change_the_result_are_refused_by_name(string key, string value) =>
        Assert.Contains($"'{key}' is ", Refused<NotSupportedException>("llama", copy => copy.Set(key, value)));

    [TestMethod]
    [DataRow("llama", "hidden_size", null, "'hidden_size' is missing")]
    [DataRow("llama", "hidden_size", "\"16\"", "'hidden_size' is \"16\", expected a whole number of at least 1")]
    [DataRow("llama", "hidden_size", "-16", "'hidden_size' is -16, expected a whole number of at least 1")]
    [DataRow("llama", "rms_norm_eps", "true", "'rms_norm_eps' is true, expected a number")]
    [DataRow("llama", "attention_bias", "1", "'attention_bias' is 1, expected true or false")]
    [DataRow("llama", "num_key_value_heads", "3", "KeyValueHeads is 3, which does not divide the 4 Heads")]
    [DataRow("llama", "rope_scaling", """{"type":"linear"}""", "'rope_scaling': 'factor' is missing")]
    [DataRow("llama", "rope_parameters", "[]", "'rope_parameters' is [], expected an object")]
    [DataRow("llama", "eos_token_id", "\"end\"", "'eos_token_id' is \"end\", expected a whole number or a list of them")]
    [DataRow("qwen3", "layer_types", "[\"full_attention\"]", "expected an array of 3 elements, one for each layer")]
    [DataRow("qwen3", "layer_types", "[\"full_attention\",\"chunked_attention\",\"full_attention\"]", "\"chunked_attention\", expected 'full_attention' or 'sliding_attention'")]
    [DataRow("qwen3", "use_sliding_window", "false", "'layer_types' names layers with a sliding window, but")]
    [DataRow("smollm3", "no_rope_layers", "[1,2,1]", "'no_rope_layers' is 2, expected 0 or 1 for each layer")]
    [DataRow("phi3-longrope-short-row", "partial_rotary_factor", "0.4", "by 'partial_rotary_factor', 0.4, 3 of a head's 8 coordinates are rotated, expected a positive even number")]
    [DataRow("phi3-longrope-short-row", "partial_rotary_factor", "1.5", "'partial_rotary_factor' is 1.5, expected above 0 to 1")]
    [DataRow("phi3-longrope-short-row", "original_max_position_embeddings", "1", "'original_max_position_embeddings' is 1, expected a whole number of at least 2")]
    [DataRow("phi3-longrope-short-row", "rope_scaling", """{"type":"longrope","short_factor":[1,1],"long_factor":[1,1,1]}""", "'short_factor' has 2 numbers, expected 3, one for each pair of coordinates that is rotated")]
    [DataRow("phi3-longrope-short-row", "rope_scaling", """{"type":"longrope","short_factor":[1,0,1],"long_factor":[1,1,1]}""", "'short_factor' is 0, expected numbers from 1E-06 to 1000000")]
    [DataRow("phi3-longrope-short-row", "rope_scaling", """{"type":"longrope","short_factor":[1,1,1]}""", "'long_factor' has 0 numbers, expected 3")]
    [DataRow("gemma3", "model_type", "\"gemma3\"", "'text_config' is missing")]
    [DataRow("qwen3-moe", "mlp_only_layers", "[4]", "'mlp_only_layers' is 4, expected numbers of layers, from 0 to 3")]
    [DataRow("qwen3-moe", "decoder_sparse_step", "0", "'decoder_sparse_step' is 0, expected a whole number of at least 1")]
    [DataRow("qwen3-moe", "num_local_experts", "5", "'num_experts' is 4 and 'num_local_experts' is 5; expected one of them")]
    [DataRow("qwen3-moe", "num_experts", "2000000000", "'model.layers.1.mlp.gate.weight' in ")]
    [DataRow("gemma2", "sliding_window", "null", "'sliding_window' is null, expected a whole number of at least 1: layers have a sliding window")]
    [DataRow("gemma2", "query_pre_attn_scalar", "0", "'query_pre_attn_scalar' is 0, expected from 1E-06 to 1000000")]
    [DataRow("gemma2", "final_logit_softcapping", "-30", "'final_logit_softcapping' is -30, expected from 1E-06 to 1000000")]
    [DataRow("gemma3", "rope_local_base_freq", "1", "'rope_local_base_freq' is 1, expected above 1 to")]
    [DataRow("gpt2", "n_head", "5", "'n_head' is 5, which does not divide 'n_embd', 12")]
    [DataRow("llama", "vocab_size", "20", "'model.embed_tokens.weight' in ")]
    [DataRow("llama", "num_hidden_layers", "4", "lack the tensor 'model.layers.3.input_layernorm.weight', [16]")]
    [DataRow("llama", "num_hidden_layers", "2", "hold the tensor 'model.layers.2.")]
    [DataRow("llama", "attention_bias", "false", "self_attn.q_proj.bias', which this model does not have")]
    [DataRow("llama", "tie_word_embeddings", "true", "differs from the embedding, but the configuration says that they are one")]
    // Seen to use up the machine's memory where the tensors of a block are listed before they are looked for.
    [DataRow("llama", "num_hidden_layers", "2000000000", "'num_hidden_layers' is 2000000000, expected at most 10000")]
    [DataRow("gpt2", "n_layer", "2000000000", "lack the tensor 'transformer.h.2.ln_1.weight'")]
    [DataRow("llama", "intermediate_size", "2000000000", "'model.layers.0.mlp.gate_proj.weight' in ")]
    [DataRow("mixtral", "num_local_experts", "2000000000", "'model.layers.0.block_sparse_moe.gate.weight' in ")]
    public void A_value_that_cannot_be_is_named(string model, string key, string? value, string expected) =>
        Assert.Contains(expected, Refused<InvalidDataException>(model, copy => copy.Set(key, value)));

    [TestMethod]
    [DataRow("pytorch_model.bin")]
    [DataRow("model.pt")]
    [DataRow("consolidated.00.PTH")]
    [DataRow("last.ckpt")]
    public void Pickle_files_are_refused_by_name(string name)
    {
        Assert.Contains($"{name} is a pickle file", Refused<NotSupportedException>("llama", copy => File.Move(copy["model.safetensors"], copy[name])));
        Assert.Contains($"{name} is a pickle file", Assert.ThrowsExactly<NotSupportedException>(() => HuggingFaceModel.Load(name)).Message);
    }

    [TestMethod]
    public void What_is_missing_is_named()
    {
        Assert.Contains("There is no folder nowhere", Assert.ThrowsExactly<DirectoryNotFoundException>(() => HuggingFaceModel.Load("nowhere")).Message);
        Assert.Contains("lacks config.json", Refused<FileNotFoundException>("llama", copy => File.Delete(copy["config.json"])));
        Assert.Contains("holds neither model.safetensors nor model.safetensors.index.json", Refused<FileNotFoundException>("llama", copy => File.Delete(copy["model.safetensors"])));
        Assert.Contains("model-00002-of-00003.safetensors", Refused<FileNotFoundException>("mixtral", copy => File.Delete(copy["model-00002-of-00003.safetensors"])));
        Assert.Contains("config.json is not valid JSON", Refused<InvalidDataException>("llama", copy => File.WriteAllText(copy["config.json"], "{\"a\":")));
        Assert.Contains("config.json is not valid JSON", Refused<InvalidDataException>("llama", copy => copy.Set("model_type", null), copy => Replace(copy, "config.json", "{", "{\"model_type\":\"\\ud800\",")));
        Assert.Contains("is not a JSON object", Refused<InvalidDataException>("llama", copy => File.WriteAllText(copy["config.json"], "[]")));
    }

    [TestMethod]
    [DataRow("\"../model-00001-of-00003.safetensors\"")]
    [DataRow("\"/etc/model.safetensors\"")]
    [DataRow("\"pytorch_model.bin\"")]
    [DataRow("3")]
    public void An_index_leads_to_safetensors_files_beside_it_only(string file) =>
        Assert.Contains("expected the name of a safetensors file beside it", Refused<InvalidDataException>("mixtral", copy => copy.Set("weight_map", "{\"model.norm.weight\":" + file + "}", SafetensorsFolder.IndexName)));

    [TestMethod]
    public void An_index_and_its_files_must_agree()
    {
        const string map = """{"model.norm.weight":"model-00001-of-00003.safetensors"}""";
        Assert.Contains("in no file", Refused<InvalidDataException>("mixtral", copy => copy.Set("weight_map", map, SafetensorsFolder.IndexName)));
        Assert.Contains("has no 'weight_map'", Refused<InvalidDataException>("mixtral", copy => copy.Set("weight_map", null, SafetensorsFolder.IndexName)));
        Assert.Contains("empty 'weight_map'", Refused<InvalidDataException>("mixtral", copy => copy.Set("weight_map", "{}", SafetensorsFolder.IndexName)));
        Assert.Contains("which does not hold it", Refused<InvalidDataException>("mixtral", copy =>
            Replace(copy, SafetensorsFolder.IndexName, "\"weight_map\": {", "\"weight_map\": {\"more\": \"model-00001-of-00003.safetensors\",")));
    }

    [TestMethod]
    public void A_truncated_file_is_named()
    {
        Assert.Contains("model.safetensors: The safetensors header describes", Refused<InvalidDataException>("llama", copy =>
        {
            using FileStream stream = File.OpenWrite(copy["model.safetensors"]);
            stream.SetLength(stream.Length - 1);
        }));
    }

    [TestMethod]
    public void Whole_numbers_are_no_weights()
    {
        Assert.Contains("is I64 [16]; expected F64, F32, F16 or BF16", Refused<InvalidDataException>("llama", copy =>
        {
            using var scope = NewDisposeScope();
            Dictionary<string, Tensor> tensors = CheckpointCopy.Tensors(copy.Path);
            tensors["model.norm.weight"] = ones(16, dtype: int64);
            copy.Write(tensors);
        }));
    }

    private static void Replace(CheckpointCopy copy, string file, string old, string with)
    {
        string text = File.ReadAllText(copy[file]);
        Assert.Contains(old, text);
        File.WriteAllText(copy[file], string.Concat(text.AsSpan(0, text.IndexOf(old, StringComparison.Ordinal)), with, text.AsSpan(text.IndexOf(old, StringComparison.Ordinal) + old.Length)));
    }

    private static string Refused<TException>(string model, params Action<CheckpointCopy>[] alter)
        where TException : Exception
    {
        using CheckpointCopy copy = new(model);
        foreach (Action<CheckpointCopy> change in alter)
            change(copy);
        return Assert.ThrowsExactly<TException>(() => HuggingFaceModel.Load(copy.Path).Dispose()).Message;
    }
}
