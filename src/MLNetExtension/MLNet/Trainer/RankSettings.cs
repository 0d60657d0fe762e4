using System.Globalization;
using System.Text.Json;
using MLNetExtension.Models;
using MLNetExtension.Training.Ranks;

namespace MLNetExtension.MLNet.Trainer;

/// <summary>What must be the same on all ranks of a training.</summary>
internal static class RankSettings
{
    // Each machine may have its own copy of a model or a tokenizer: the data are hashed as token ids, and the weights of the first rank are sent to all.
    private static readonly string[] Paths = ["PretrainedFolder", "TokenizerFolder"];

    /// <summary>Compares options, data and network with those of the first rank. Collective.</summary>
    /// <param name="ranks">The ranks.</param>
    /// <param name="options">This rank's options.</param>
    /// <param name="settings">Its settings and hashes of its data, as checkpoints have them.</param>
    /// <param name="network">Its network.</param>
    /// <exception cref="InvalidOperationException">Something differs on this rank, or on another; the message names rank, setting and both values.</exception>
    public static void RequireSame(IRankGroup ranks, CausalLanguageModelTrainer.Options options, IReadOnlyDictionary<string, string> settings, CausalLanguageModel network)
    {
        var own = new SortedDictionary<string, string>(settings.Where(setting => !Paths.Contains(setting.Key)).ToDictionary(), StringComparer.Ordinal)
        {
            ["MaximumSteps"] = Text(options.MaximumSteps),
            ["MaximumEpochs"] = Text(options.MaximumEpochs),
            ["MaximumDuration"] = Text(options.MaximumDuration),
            ["Checkpoints.Interval"] = Text(options.Checkpoints?.Interval.Setting),
            ["Ranks.ShardOptimizer"] = Text(options.Ranks?.ShardOptimizer),
            ["the number of parameters"] = Text(network.parameters().Sum(parameter => parameter.numel())),
            ["the number of trained parameters"] = Text(network.parameters().Where(parameter => parameter.requires_grad).Sum(parameter => parameter.numel())),
        };
        var first = JsonSerializer.Deserialize<Dictionary<string, string>>(ranks.Broadcast(JsonSerializer.Serialize(own)))!;
        ranks.RunTogether(() => Compare(first, own, ranks.Rank));
    }

    private static void Compare(Dictionary<string, string> first, SortedDictionary<string, string> own, int rank)
    {
        foreach (string name in first.Keys.Union(own.Keys).Order(StringComparer.Ordinal))
        {
            string there = first.GetValueOrDefault(name, "not set"), here = own.GetValueOrDefault(name, "not set");
            if (there != here)
                throw new InvalidOperationException($"The ranks do not train the same: {name} is {there} on rank 0 and {here} on rank {rank}.");
        }
    }

    private static string Text(object? value) => Convert.ToString(value, CultureInfo.InvariantCulture) is { Length: > 0 } text ? text : "not set";
}
