using System.Text.Json;
using MLNetExtension.Files;

namespace MLNetExtension.Tokenization.HuggingFace;

/// <summary>Reads the <c>post_processor</c> of <c>tokenizer.json</c>: the ids that it puts in front of a text and behind it.</summary>
internal static class PostProcessorReader
{
    private static readonly ComponentReader<Template> Reader = new(
        new Dictionary<string, Func<JsonObjectReader, Template>> { ["ByteLevel"] = IgnoreByteLevel, ["TemplateProcessing"] = ReadTemplate },
        "processors",
        Join);

    /// <summary>Reads a post-processor; null for none.</summary>
    public static Template Read(JsonObjectReader? processor) => processor is null ? new Template([], []) : Reader.Read(processor);

    // Behind the model it moves offsets, and no id.
    private static Template IgnoreByteLevel(JsonObjectReader component)
    {
        _ = (component.GetBoolean("add_prefix_space", true), component.GetBoolean("use_regex", true));
        return new([], []);
    }

    private static Template Join(IReadOnlyList<Template> processors, JsonObjectReader sequence) => processors.Where(ids => ids.Prefix.Count + ids.Suffix.Count > 0).ToArray() switch
    {
        [] => new([], []),
        [var only] => only,
        _ => throw new NotSupportedException($"{sequence.Name} has two templates, expected at most one."),
    };

    private static Template ReadTemplate(JsonObjectReader template)
    {
        JsonObjectReader tokens = template.GetObject("special_tokens");
        List<int> prefix = [], suffix = [];
        int sequences = 0;
        foreach (JsonObjectReader piece in template.GetObjects("single"))
        {
            if (piece.FindObject("SpecialToken") is { } special)
                (sequences == 0 ? prefix : suffix).AddRange(ReadTokenIds(tokens.GetObject(special.GetString("id"))));
            else if (piece.GetObject("Sequence") is not null)
                sequences++;
        }

        return sequences == 1 ? new(prefix, suffix) : throw new NotSupportedException($"{template.Name} has {sequences} sequences in 'single', expected 1.");
    }

    private static IEnumerable<int> ReadTokenIds(JsonObjectReader token) =>
        token.GetItems("ids").Select(item => item.ValueKind == JsonValueKind.Number && item.TryGetInt32(out int id) ? id : throw token.Unexpected("ids", item, "ids"));

    /// <summary>What is put around a text.</summary>
    /// <param name="Prefix">The ids in front of it.</param>
    /// <param name="Suffix">The ids behind it.</param>
    internal sealed record Template(IReadOnlyList<int> Prefix, IReadOnlyList<int> Suffix);
}
