using System.Text.RegularExpressions;

namespace MLNetExtension.Tests.Repository;

/// <summary>The rooms of the library, in the order in which they build on one another: a room uses those before it and none after it.</summary>
internal static partial class Rooms
{
    private const string Library = "src/MLNetExtension/";

    private static readonly string[] InOrder =
        ["Files", "Safetensors", "Tokenization", "Data", "Models", "Losses", "Evaluation", "Training", "Generation", "Formats", "MLNet"];

    private static readonly string[] WithoutTorch = ["Files", "Tokenization"];

    // Public types of the room that users meet are in the namespaces where they look for them.
    private static readonly string[] NamespacesOfMLNet = ["MLNetExtension", "Microsoft.ML"];

    /// <summary>Says what a file of the library does that its room forbids.</summary>
    public static IEnumerable<string> Faults(SourceFile file)
    {
        string[] parts = file.Path[Library.Length..].Split('/');
        string room = parts.Length > 1 ? parts[0] : "";
        int place = Array.IndexOf(InOrder, room);
        if (place < 0)
            return [$"{file.Path}: '{room}' is no room of the library"];

        string code = SourceTree.Code(file.Text);
        string expected = string.Join('.', parts[..^1].Prepend("MLNetExtension"));
        string found = Namespace().Match(code).Groups[1].Value;
        bool isMisplaced = found != expected && !(room == "MLNet" && NamespacesOfMLNet.Contains(found));
        IEnumerable<string> misplaced = isMisplaced ? [$"{file.Path}: its namespace is {found}, its folder says {expected}"] : [];
        IEnumerable<string> arrows = OtherRoom().Matches(code).Select(match => match.Groups["room"].Value).Distinct()
            .Where(other => Array.IndexOf(InOrder, other) > place)
            .Select(other => $"{file.Path}: {room} may not use {other}");
        IEnumerable<string> foreign = ForeignNames(room)
            .Where(name => Regex.IsMatch(code, $@"\b{name}\b"))
            .Select(name => $"{file.Path}: {name} has no place here");
        return [.. misplaced, .. arrows, .. foreign];
    }

    private static string[] ForeignNames(string room) =>
    [
        .. room == "MLNet" ? (string[])[] : ["IDataView", "IHost", "IHostEnvironment", "MLContext"],
        .. WithoutTorch.Contains(room) ? (string[])["TorchSharp"] : [],
    ];

    [GeneratedRegex(@"^namespace\s+([\w.]+)\s*;", RegexOptions.Multiline)]
    private static partial Regex Namespace();

    // By its full name, in a using or in place, or by its name from within our own namespace: Training.TrainingLoop.
    [GeneratedRegex(@"(?<![\w.])(?:global::)?MLNetExtension\.(?<room>\w+)|(?<![\w.])(?=[A-Z])(?<room>\w+)(?=\.[A-Z])")]
    private static partial Regex OtherRoom();
}
