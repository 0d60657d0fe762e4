using System.Text.Json;
using System.Text.Json.Nodes;

namespace MLNetExtension.MLNet.Archive;

/// <summary>Reads the options of the first format: one flat object, some of whose names were not there from the beginning.</summary>
internal static class EarlierOptions
{
    private static readonly string[] Network = ["layers", "heads", "width", "contextLength", "dropout", "experts", "expertsPerToken", "tokenizerFolder"];

    private static readonly string[] Top =
        ["batchSize", "learningRate", "maximumSteps", "maximumEpochs", "maximumDuration", "seed", "reportInterval", "maximumNonFiniteSteps"];

    // The options of each group; where the first format has another name for one, it follows a colon.
    private static readonly (string Group, string[] Names)[] Groups =
    [
        ("optimizer", ["beta1", "beta2", "epsilon", "weightDecay", "maximumGradientNorm"]),
        ("schedule", ["warmupSteps"]),
        ("loss", ["normalization:lossNormalization", "labelSmoothing", "zLoss", "routerBalanceCoefficient", "routerBalanceScope"]),
        ("batching", ["maximumTokensPerMicroBatch", "memoryLimitMiB", "threads", "workers", "packRows", "activationRecomputation", "precision:computePrecision"]),
        ("outputs",
        [
            "lossSum:lossSumColumnName", "tokenCount:tokenCountColumnName", "byteCount:byteCountColumnName", "correctCount:correctCountColumnName", "perplexity:perplexityColumnName",
            "tokenLogProbabilities:tokenLogProbabilitiesColumnName", "generatedText:generatedTextColumnName", "generation:generatedText",
        ]),
    ];

    /// <summary>Gives the options that a flat object holds; those that it lacks have their defaults.</summary>
    /// <exception cref="JsonException">A value is not what its option holds.</exception>
    public static CausalLanguageModelTrainer.Options Parse(JsonObject earlier)
    {
        var grouped = new JsonObject();
        foreach (string name in Top)
            Copy(earlier, name, grouped, name);
        Copy(earlier, "lora", grouped, "adapters");
        foreach (var (group, names) in Groups)
        {
            var members = new JsonObject();
            foreach (string[] name in names.Select(name => name.Split(':')))
                Copy(earlier, name[^1], members, name[0]);
            grouped[group] = members;
        }
        grouped["schedule"]!["minimumLearningRateRatio"] = MinimumLearningRateRatio(earlier);
        grouped["model"] = Model(earlier);
        var options = ArchivedOptions.Parse(grouped);
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
