using System.Text.RegularExpressions;

namespace MLNetExtension.Tests.Repository;

/// <summary>The rooms of the library and the arrows between them. An arrow is allowed only where it stands here: none follows from two others.</summary>
internal static partial class Rooms
{
    private const string Library = "src/MLNetExtension/";

    private static readonly string[] Foundation =
        ["Data", "Tokenization", "Batching", "Models", "Adapters", "Losses", "Accumulation", "Distributed", "Optimization", "Checkpoints"];

    private static readonly Dictionary<string, string[]> MayUse = new()
    {
        ["Data"] = ["Tokenization"],
        ["Tokenization"] = [],
        ["Batching"] = ["Data"],
        ["Models"] = [],
        ["Adapters"] = ["Models", "Checkpoints"],                     // names and files of Hugging Face's networks
        ["Losses"] = [],
        ["Accumulation"] = ["Losses"],
        ["Distributed"] = [],
        ["Optimization"] = ["Accumulation"],                        // it steps the arena
        ["Checkpoints"] = ["Models"],
        ["Training"] = Foundation,
        ["Evaluation"] = ["Data", "Batching", "Models", "Losses"],
        ["Generation"] = ["Models", "Tokenization"],
        ["Persistence"] = ["Models", "Adapters", "Checkpoints", "Tokenization"],
        ["Estimators"] = [.. Foundation, "Training", "Evaluation", "Generation", "Persistence"],
    };

    /// <summary>Says what a file of the library does that its room forbids.</summary>
    public static IEnumerable<string> Faults(SourceFile file)
    {
        string[] parts = file.Path[Library.Length..].Split('/');
        string room = parts.Length > 1 ? parts[0] : "";
        string code = SourceTree.Code(file.Text);
        if (!MayUse.TryGetValue(room, out string[]? allowed))
            return [$"{file.Path}: '{room}' is no room of the library"];

        string expected = string.Join('.', parts[..^1].Prepend("MLNetExtension"));
        string found = Namespace().Match(code).Groups[1].Value;
        IEnumerable<string> misplaced = found == expected ? [] : [$"{file.Path}: its namespace is {found}, its folder says {expected}"];
        IEnumerable<string> arrows = OtherRoom().Matches(code).Select(m => m.Groups["room"].Value).Distinct()
            .Where(other => MayUse.ContainsKey(other) && other != room && !allowed.Contains(other))
            .Select(other => $"{file.Path}: {room} may not use {other}");
        IEnumerable<string> foreign = ForeignNames(room, parts[^1])
            .Where(name => Regex.IsMatch(code, $@"\b{name}\b"))
            .Select(name => $"{file.Path}: {name} has no place here");
        return [.. misplaced, .. arrows, .. foreign];
    }

    // Rows come in through the column reader and models go out through the estimators: nothing between knows ML.NET's data.
    private static string[] ForeignNames(string room, string fileName)
    {
        bool meetsMLNet = room is "Estimators" or "Persistence" || (room == "Data" && fileName.EndsWith("Reader.cs", StringComparison.Ordinal));
        string[] data = meetsMLNet ? [] : ["IDataView", "IHost", "IHostEnvironment", "MLContext"];
        string[] torch = room is "Data" or "Tokenization" ? ["TorchSharp"] : [];
        return [.. data, .. torch];
    }

    [GeneratedRegex(@"^namespace\s+([\w.]+)\s*;", RegexOptions.Multiline)]
    private static partial Regex Namespace();

    // By its full name, in a using or in place, or by its name from within our own namespace: Accumulation.ParameterArena.
    [GeneratedRegex(@"(?<![\w.])(?:global::)?MLNetExtension\.(?<room>\w+)|(?<![\w.])(?=[A-Z])(?<room>\w+)(?=\.[A-Z])")]
    private static partial Regex OtherRoom();
}
