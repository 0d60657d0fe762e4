using System.Text.Json;
using System.Text.Json.Nodes;

namespace MLNetExtension.MLNet.Archive;

/// <summary>Reads the options of the first format: one flat object, some of whose names were not there from the beginning.</summary>
internal static class EarlierOptions
{
    private static readonly string[] Network = ["layers", "heads", "width", "contextLength", "dropout", "experts", "expertsPerToken", "tokenizerFolder"];

    private static readonly string[] Top =
        ["batchSize", "learningRate", "maximumSteps", "maximumEpochs", "maximumDuration", "seed", "reportInterval", "maximumNonFiniteSteps"];

    // Group, name there, name in the first format.
    private static readonly (string Group, string Name, string Earlier)[] Grouped =
    [
        ("optimizer", "beta1", "beta1"),
        ("optimizer", "beta2", "beta2"),
        ("optimizer", "epsilon", "epsilon"),
        ("optimizer", "weightDecay", "weightDecay"),
        ("optimizer", "maximumGradientNorm", "maximumGradientNorm"),
        ("schedule", "warmupSteps", "warmupSteps"),
        ("loss", "normalization", "lossNormalization"),
        ("loss", "labelSmoothing", "labelSmoothing"),
        ("loss", "zLoss", "zLoss"),
        ("loss", "routerBalanceCoefficient", "routerBalanceCoefficient"),
        ("loss", "routerBalanceScope", "routerBalanceScope"),
        ("batching", "maximumTokensPerMicroBatch", "maximumTokensPerMicroBatch"),
        ("batching", "memoryLimitMiB", "memoryLimitMiB"),
        ("batching", "threads", "threads"),
        ("batching", "workers", "workers"),
        ("batching", "packRows", "packRows"),
        ("batching", "activationRecomputation", "activationRecomputation"),
        ("batching", "precision", "computePrecision"),
        ("outputs", "lossSum", "lossSumColumnName"),
        ("outputs", "tokenCount", "tokenCountColumnName"),
        ("outputs", "byteCount", "byteCountColumnName"),
        ("outputs", "correctCount", "correctCountColumnName"),
        ("outputs", "perplexity", "perplexityColumnName"),
        ("outputs", "tokenLogProbabilities", "tokenLogProbabilitiesColumnName"),
        ("outputs", "generatedText", "generatedTextColumnName"),
        ("outputs", "generation", "generatedText"),
    ];

    /// <summary>Gives the options that a flat object holds; those that it lacks have their defaults.</summary>
    /// <exception cref="JsonException">A value is not what its option holds.</exception>
    public static CausalLanguageModelTrainer.Options Parse(JsonObject earlier)
    {
        var grouped = new JsonObject();
        foreach (string name in Top)
            Copy(earlier, name, grouped, name);
        Copy(earlier, "lora", grouped, "adapters");
        foreach (var (group, name, earlierName) in Grouped)
        {
            grouped.TryAdd(group, new JsonObject());
            Copy(earlier, earlierName, grouped[group]!.AsObject(), name);
        }
        grouped["schedule"]!["minimumLearningRateRatio"] = MinimumLearningRateRatio(earlier);
        grouped["model"] = Model(earlier);
        var options = grouped.Deserialize<CausalLanguageModelTrainer.Options>(ArchiveJson.Options)!;
        options.Columns = Columns(earlier);
        return options;
    }

    // The first format had a floor that was a learning rate, whose default did not depend on the peak.
    private static double MinimumLearningRateRatio(JsonObject earlier)
    {
        return Number("minimumLearningRate", 3e-4) / Number("learningRate", 3e-3);

        double Number(string name, double defaultValue) => earlier[name]?.GetValue<double>() ?? defaultValue;
    }

    private static JsonObject Model(JsonObject earlier)
    {
        var pretrained = earlier["pretrainedFolder"];
        var model = new JsonObject { ["kind"] = pretrained is null ? "gpt2" : "pretrained" };
        if (pretrained is not null)
            model["folder"] = pretrained.DeepClone();
        foreach (string name in pretrained is null ? Network : ["contextLength"])
            Copy(earlier, name, model, name);
        return model;
    }

    private static InputColumns Columns(JsonObject earlier)
    {
        string? weight = Text("exampleWeightColumnName");
        return Text("tokenIdsColumnName") is { } ids ? InputColumns.TokenIds(ids, weight)
            : Text("messagesColumnName") is { } messages ? InputColumns.Chat(messages, weight)
            : Text("promptColumnName") is { } prompt ? InputColumns.PromptCompletion(prompt, Text("completionColumnName")!, weight)
            : InputColumns.Text(Text("textColumnName") ?? "Text", weight);

        string? Text(string name) => earlier[name]?.GetValue<string>();
    }

    private static void Copy(JsonObject from, string name, JsonObject to, string newName)
    {
        if (from.TryGetPropertyValue(name, out var value))
            to[newName] = value?.DeepClone();
    }
}
