using System.Text.Json;
using MLNetExtension.Tests.Repository;
using MLNetExtension.Tokenization;
using MLNetExtension.Tokenization.HuggingFace;

namespace MLNetExtension.Tests.Tokenization;

/// <summary>The files that <c>Golden/make_golden.py</c> wrote: small vocabularies in three published forms, and the ids that a second implementation
/// gives.</summary>
internal static class Golden
{
    public static readonly string[] Styles = ["gpt2", "llama3", "qwen2"];

    private static readonly Lazy<JsonElement> Expected = new(() => JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Folder, "expected.json"))).RootElement);
    private static readonly Dictionary<string, Lazy<HuggingFaceTokenizer>> Tokenizers =
        Styles.ToDictionary(style => style, style => new Lazy<HuggingFaceTokenizer>(() => (HuggingFaceTokenizer)TokenizerFolder.Load(FolderOf(style))));

    public static string Folder => Path.Combine(SourceTree.Root, "tests", "MLNetExtension.Tests", "Tokenization", "Golden");

    public static string Corpus => Expected.Value.GetProperty("corpus").GetString()!;

    public static string Composed => Expected.Value.GetProperty("composed").GetString()!;

    public static string[] Texts => [.. Expected.Value.GetProperty("texts").EnumerateArray().Select(text => text.GetString()!)];

    public static string FolderOf(string style) => Path.Combine(Folder, style);

    public static HuggingFaceTokenizer Tokenizer(string style) => Tokenizers[style].Value;

    public static string Json(string style) => File.ReadAllText(Path.Combine(FolderOf(style), "tokenizer.json"));

    /// <summary>The ids of every text: <c>ids</c> with special tokens found, <c>content</c> without.</summary>
    public static int[][] Ids(string style, string kind) =>
        [.. Style(style).GetProperty(kind).EnumerateArray().Select(ids => ids.EnumerateArray().Select(id => id.GetInt32()).ToArray())];

    public static int[] Prefix(string style) => [.. Style(style).GetProperty("prefix").EnumerateArray().Select(id => id.GetInt32())];

    private static JsonElement Style(string style) => Expected.Value.GetProperty("styles").GetProperty(style);
}
