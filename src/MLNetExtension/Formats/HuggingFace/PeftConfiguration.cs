using System.Text.Json;
using System.Text.Json.Nodes;
using MLNetExtension.Files;
using MLNetExtension.Models;
using MLNetExtension.Models.Lora;

namespace MLNetExtension.Formats.HuggingFace;

/// <summary>PEFT's <c>adapter_config.json</c>.</summary>
internal static class PeftConfiguration
{
    public const string FileName = "adapter_config.json";

    // Each is looked for among all layers.
    private const int MaximumNames = 10_000;

    private const string InitializationKey = "init_lora_weights";

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
        ["use_qalora"] = "false",
        ["lora_bias"] = "false",
        ["rank_pattern"] = "{}",
        ["alpha_pattern"] = "{}",
        ["exclude_modules"] = "null",
        ["layers_to_transform"] = "null",
        ["layers_pattern"] = "null",
        ["layer_replication"] = "null",
        ["trainable_token_indices"] = "null",
        ["target_parameters"] = "null",
        ["megatron_config"] = "null",
        ["alora_invocation_tokens"] = "null",
        ["arrow_config"] = "null",
    };

    // By the values of init_lora_weights. Others, such as "olora" and "pissa_niter_4", change the model's own weights when adapters are created, in ways that only PEFT can repeat.
    private static readonly (string Json, LoraInitialization Initialization)[] Initializations =
    [
        ("true", LoraInitialization.Kaiming), ("false", LoraInitialization.Kaiming), ("\"gaussian\"", LoraInitialization.Gaussian), ("\"orthogonal\"", LoraInitialization.Orthogonal),
        ("\"pissa\"", LoraInitialization.Pissa),
    ];

    /// <summary>Reads the options.</summary>
    /// <param name="reader">The file's object.</param>
    /// <returns>The options; their target modules are empty where the file selects them by a regular expression. And whether a head that is tied to the embedding stays so.</returns>
    /// <exception cref="InvalidDataException">A key is missing or has a value of the wrong kind.</exception>
    /// <exception cref="NotSupportedException">A key asks for what is not supported; the message names it.</exception>
    public static (LoraOptions Options, bool KeepsTies) Read(JsonObjectReader reader)
    {
        foreach ((string key, string value) in OnlyValue)
            reader.Require(key, value);
        reader.Require(InitializationKey, [.. Initializations.Select(known => known.Json)]);
        LoraOptions options = new()
        {
            Rank = reader.GetInteger("r"),
            Alpha = reader.GetNumber("lora_alpha", SafeRanges.Scaling),
            Dropout = reader.GetNumber("lora_dropout", NumberRange.Share, 0),
            RankStabilized = reader.GetBoolean("use_rslora", false),
            UseDora = reader.GetBoolean("use_dora", false),
            Initialization = reader.Find(InitializationKey) is { } start ? Initializations.First(known => JsonElement.DeepEquals(start, JsonElement.Parse(known.Json))).Initialization : default,
            TargetModules = reader.GetStrings("target_modules") switch
            {
                { IsArray: true, Strings: var names } => RequireFew(reader, "target_modules", names),
                { Strings: [LoraOptions.AllLinear] } => ["*"],
                _ => [],
            },
            TrainedModules = reader.Find("modules_to_save") is null ? [] : RequireFew(reader, "modules_to_save", reader.GetStrings("modules_to_save").Strings),
        };
        bool keepsTies = reader.GetBoolean("ensure_weight_tying", false);
        reader.RefuseUnread(Harmless);
        return (options, keepsTies);
    }

    /// <summary>Writes the options of adapters. Those that begin with a principal part are written against the model's own weights: with both products, and so of twice the rank, with the same scale.</summary>
    /// <param name="adapters">The adapters.</param>
    /// <param name="baseModel">The model's name; null for none.</param>
    public static JsonObject Write(LoraAdapters adapters, string? baseModel)
    {
        LoraOptions options = adapters.Options;
        bool isDouble = options.Initialization == LoraInitialization.Pissa;
        double alphaFactor = !isDouble ? 1 : options.RankStabilized ? Math.Sqrt(2) : 2;
        // PEFT has no '*', so whole names are written instead.
        bool hasWildcard = options.TargetModules.Any(pattern => pattern.Contains('*') || pattern == LoraOptions.AllLinear);
        JsonObject json = new()
        {
            ["base_model_name_or_path"] = baseModel,
            ["bias"] = "none",
            ["fan_in_fan_out"] = adapters.Attached.Any(pair => pair.Module.IsTransposed),
            ["inference_mode"] = true,
            [InitializationKey] = JsonNode.Parse(isDouble ? "true" : Initializations.First(known => known.Initialization == options.Initialization).Json),
            ["lora_alpha"] = options.Alpha * alphaFactor,
            ["lora_dropout"] = options.Dropout,
            ["peft_type"] = "LORA",
            ["r"] = isDouble ? 2 * options.Rank : options.Rank,
            ["target_modules"] = ToArray(hasWildcard ? adapters.ModuleNames : options.TargetModules),
            ["task_type"] = "CAUSAL_LM",
            ["use_rslora"] = options.RankStabilized,
        };
        // Only where they say something: earlier versions of PEFT know none of them.
        if (options.UseDora)
            json["use_dora"] = true;
        if (adapters.TrainedModules.Count > 0)
            json["modules_to_save"] = ToArray(adapters.TrainedModules.Select(module => module.Name));
        if (adapters.TrainedModules.SelectMany(module => module.Tensors).GroupBy(tensor => tensor.Parameter).Any(tied => tied.Count() > 1))
            json["ensure_weight_tying"] = true;
        return json;
    }

    private static JsonArray ToArray(IEnumerable<string> names) => new([.. names.Select(name => (JsonNode)name)]);

    private static IReadOnlyList<string> RequireFew(JsonObjectReader reader, string key, IReadOnlyList<string> names) => names.Count <= MaximumNames ? names
        : throw new InvalidDataException($"{reader.Name}: '{key}' has {names.Count} names, expected at most {MaximumNames}.");
}
