using System.Text.RegularExpressions;

namespace MLNetExtension.Tests.Repository;

/// <summary>The rooms of the library and of the samples, in the order in which they build on one another: a room uses those before it and none after it.</summary>
internal static partial class Rooms
{
    private const string Library = "src/MLNetExtension/", Samples = "src/Samples/";

    // First what lies at the root, for every room.
    private static readonly string[] InOrder =
        ["", "Files", "Safetensors", "Tokenization", "Data", "Models", "Losses", "Evaluation", "Training", "Generation", "Formats", "MLNet"];

    private static readonly string[] SamplesInOrder = ["Errors", "Text", "Reporting", "Comparison", "Jobs", "Serving", "Commands"];

    // In Model Builder's layout and to be copied as they are: one namespace, and a test that each compiles alone.
    private static readonly string[] SamplesToCopy = ["ApiDocs", "SupportReplies"];

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
        IEnumerable<string> foreign = ForeignNames(room)
            .Where(name => Regex.IsMatch(code, $@"\b{name}\b"))
            .Select(name => $"{file.Path}: {name} has no place here");
        return [.. misplaced, .. ForbiddenArrows(file, InOrder, room), .. foreign];
    }

    /// <summary>Says what a file of the samples does that its room forbids; the files beside the rooms start the program and use them all.</summary>
    public static IEnumerable<string> SampleFaults(SourceFile file)
    {
        string[] parts = file.Path[Samples.Length..].Split('/');
        if (parts.Length == 1 || SamplesToCopy.Contains(parts[0]))
            return [];
        if (!SamplesInOrder.Contains(parts[0]))
            return [$"{file.Path}: '{parts[0]}' is no room of the samples"];
        IEnumerable<string> program = Regex.IsMatch(SourceTree.Code(file.Text), @"\bSamplesApp\b") ? [$"{file.Path}: {parts[0]} may not use SamplesApp"] : [];
        return [.. ForbiddenArrows(file, SamplesInOrder, parts[0]), .. program];
    }

    private static IEnumerable<string> ForbiddenArrows(SourceFile file, string[] order, string room)
    {
        IEnumerable<string> used = OtherRoom().Matches(SourceTree.Code(file.Text)).Select(match => match.Groups["room"].Value).Distinct();
        return used
            .Where(other => Array.IndexOf(order, other) > Array.IndexOf(order, room))
            .Select(other => $"{file.Path}: {room} may not use {other}");
    }

    private static string[] ForeignNames(string room) =>
    [
        .. room == "MLNet" ? (string[])[] : ["IDataView", "IHost", "IHostEnvironment", "MLContext"],
        .. WithoutTorch.Contains(room) ? (string[])["TorchSharp"] : [],
    ];

    [GeneratedRegex(@"^namespace\s+([\w.]+)\s*;", RegexOptions.Multiline)]
    private static partial Regex Namespace();

    // By its full name, in a using or in place, or by its name from within our own namespace: Training.TrainingLoop.
    [GeneratedRegex(@"(?<![\w.])(?:global::)?(?:MLNetExtension|Samples)\.(?<room>\w+)|(?<![\w.])(?=[A-Z])(?<room>\w+)(?=\.[A-Z])")]
    private static partial Regex OtherRoom();
}
