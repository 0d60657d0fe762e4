using System.Text.Json.Nodes;
using MLNetExtension.Files;
using MLNetExtension.Models;
using MLNetExtension.Models.Lora;

namespace MLNetExtension.Formats.HuggingFace;

/// <summary>PEFT's <c>adapter_config.json</c>.</summary>
internal static class PeftConfiguration
{
    public const string FileName = "adapter_config.json";

    private const string AllLinear = "all-linear";

    // Each is looked for among all layers.
    private const int MaximumTargets = 10_000;

    /// <summary>
    /// Keys that do not change what adapters compute: names, origin and initialization. <c>fan_in_fan_out</c> is among them, because the model tells whether a weight is transposed;
    /// so are the settings of options that must be off.
    /// </summary>
    private static readonly HashSet<string> Harmless =
    [
        "auto_mapping", "base_model_name_or_path", "revision", "inference_mode", "peft_version", "fan_in_fan_out", "megatron_core", "loftq_config", "eva_config", "corda_config", "qalora_group_size",
        "runtime_config",
    ];

    /// <summary>Keys with the one value, as JSON, that is supported; null counts as that value.</summary>
    private static readonly Dictionary<string, string> OnlyValue = new()
    {
        ["peft_type"] = "\"LORA\"",
        ["task_type"] = "\"CAUSAL_LM\"",
        ["bias"] = "\"none\"",
        ["use_dora"] = "false",
        ["use_qalora"] = "false",
        ["lora_bias"] = "false",
        ["rank_pattern"] = "{}",
        ["alpha_pattern"] = "{}",
        ["modules_to_save"] = "null",
        ["exclude_modules"] = "null",
        ["layers_to_transform"] = "null",
        ["layers_pattern"] = "null",
        ["layer_replication"] = "null",
        ["trainable_token_indices"] = "null",
        ["target_parameters"] = "null",
        ["megatron_config"] = "null",
        ["alora_invocation_tokens"] = "null",
        ["arrow_config"] = "null",
        ["ensure_weight_tying"] = "false",
    };

    // Others, such as "pissa" and "olora", change the model's own weights when adapters are created.
    private static readonly string[] HarmlessInitializations = ["true", "false", "\"gaussian\""];

    /// <summary>Reads the options.</summary>
    /// <param name="reader">The file's object.</param>
    /// <returns>The options; their target modules are empty where the file selects them by a regular expression.</returns>
    /// <exception cref="InvalidDataException">A key is missing or has a value of the wrong kind.</exception>
    /// <exception cref="NotSupportedException">A key asks for what is not supported; the message names it.</exception>
    public static LoraOptions Read(JsonObjectReader reader)
    {
        foreach ((string key, string value) in OnlyValue)
            reader.Require(key, value);
        reader.Require("init_lora_weights", HarmlessInitializations);
        LoraOptions options = new()
        {
            Rank = reader.GetInteger("r"),
            Alpha = reader.GetNumber("lora_alpha", SafeRanges.Scaling),
            Dropout = reader.GetNumber("lora_dropout", NumberRange.Share, 0),
            RankStabilized = reader.GetBoolean("use_rslora", false),
            TargetModules = reader.GetStrings("target_modules") switch
            {
                { IsArray: true, Strings: var names } => names.Count <= MaximumTargets ? names
                    : throw new InvalidDataException($"{reader.Name}: 'target_modules' has {names.Count} names, expected at most {MaximumTargets}."),
                { Strings: [AllLinear] } => ["*"],
                _ => [],
            },
        };
        reader.RefuseUnread(Harmless);
        return options;
    }

    /// <summary>Writes the options.</summary>
    /// <param name="options">The options.</param>
    /// <param name="targets">Names of the layers, without '*'.</param>
    /// <param name="transposed">Whether the layers' weights are stored transposed.</param>
    /// <param name="baseModel">The model's name; null for none.</param>
    public static JsonObject Write(LoraOptions options, IEnumerable<string> targets, bool transposed, string? baseModel) => new()
    {
        ["base_model_name_or_path"] = baseModel,
        ["bias"] = "none",
        ["fan_in_fan_out"] = transposed,
        ["inference_mode"] = true,
        ["init_lora_weights"] = true,
        ["lora_alpha"] = options.Alpha,
        ["lora_dropout"] = options.Dropout,
        ["peft_type"] = "LORA",
        ["r"] = options.Rank,
        ["target_modules"] = new JsonArray([.. targets.Select(name => (JsonNode)name)]),
        ["task_type"] = "CAUSAL_LM",
        ["use_rslora"] = options.RankStabilized,
    };
}
