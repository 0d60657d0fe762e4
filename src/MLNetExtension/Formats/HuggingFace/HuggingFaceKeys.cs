namespace MLNetExtension.Formats.HuggingFace;

/// <summary>Keys of <c>config.json</c> that do not change what a causal language model computes, and those of which only one value is supported.</summary>
internal static class HuggingFaceKeys
{
    /// <summary>
    /// Names, ids of special tokens, types of stored weights, how Hugging Face's code runs a model or generates with it, heads other than the language model's.
    /// Among them are all keys of <c>PretrainedConfig</c> in transformers 4 and 5 that do not change the result. The routers' balance loss is among them, for models that have no router.
    /// </summary>
    public static IReadOnlySet<string> Harmless { get; } = new HashSet<string>(
    [
        "_name_or_path", "name_or_path", "architectures", "transformers_version", "torch_dtype", "dtype", "tokenizer_class", "_commit_hash", "unsloth_version", "unsloth_fixed",
        "is_llama_config", "transformers.js_config", "auto_map", "is_composition",
        "bos_token_id", "eos_token_id", "eos_token_ids", "pad_token_id", "sep_token_id", "unk_token_id", "decoder_start_token_id", "prefix",
        "use_cache", "return_dict", "output_hidden_states", "output_attentions", "torchscript", "use_bfloat16", "tf_legacy_loss", "xla_device", "gradient_checkpointing", "chunk_size_feed_forward", "output_past",
        "_output_attentions", "keys_to_ignore_at_inference", "base_model_tp_plan", "base_model_pp_plan", "base_model_ep_plan", "base_model_fsdp_plan", "distributed_config",
        "cache_implementation", "_attn_implementation_internal", "experts_implementation", "_experts_implementation", "_experts_implementation_internal", "ignore_keys_at_rope_validation",
        "_attn_implementation", "_attn_implementation_autoset", "attn_implementation", "pretraining_tp", "n_ctx", "is_decoder",
        "id2label", "label2id", "num_labels", "_num_labels", "problem_type", "finetuning_task", "task_specific_params",
        "summary_type", "summary_use_proj", "summary_activation", "summary_proj_to_labels", "summary_first_dropout", "classifier_dropout",
        "max_length", "min_length", "do_sample", "early_stopping", "num_beams", "num_beam_groups", "diversity_penalty", "temperature", "top_k", "top_p", "typical_p",
        "repetition_penalty", "length_penalty", "no_repeat_ngram_size", "encoder_no_repeat_ngram_size", "bad_words_ids", "num_return_sequences", "output_scores",
        "return_dict_in_generate", "forced_bos_token_id", "forced_eos_token_id", "remove_invalid_values", "exponential_decay_length_penalty", "suppress_tokens", "begin_suppress_tokens",
        "output_router_logits", "router_aux_loss_coef",
    ]);

    /// <summary>Keys with the one value, as JSON, that is supported.</summary>
    public static IReadOnlyDictionary<string, string> OnlyValue { get; } = new Dictionary<string, string>
    {
        ["is_encoder_decoder"] = "false",
        ["add_cross_attention"] = "false",
        ["tie_encoder_decoder"] = "false",
        ["cross_attention_hidden_size"] = "null",
        ["per_layer_config"] = "null",
        ["pruned_heads"] = "{}",
        ["rope_interleaved"] = "false",
        ["use_mrope"] = "false",
    };
}
