using System.Text;
using MLNetExtension.Files;

namespace MLNetExtension.Tokenization.HuggingFace;

/// <summary>Reads GPT-2's two files, which came before <c>tokenizer.json</c>: the tokens and the merges. Everything else is as in GPT-2.</summary>
internal static class VocabularyAndMerges
{
    /// <summary>The usual name of the file of tokens.</summary>
    public const string VocabularyFileName = "vocab.json";

    /// <summary>The usual name of the file of merges.</summary>
    public const string MergesFileName = "merges.txt";

    private const string EndOfText = "<|endoftext|>";

    /// <summary>Reads both files, and writes the <c>tokenizer.json</c> that says the same.</summary>
    /// <exception cref="InvalidDataException">A file is missing or damaged; the message names it.</exception>
    public static TokenizerFile ToJson(IReadOnlyList<TokenizerFile> files)
    {
        Dictionary<string, int> vocabulary = JsonFile.Read(
            FindContent(files, VocabularyFileName), VocabularyFileName, root => new JsonObjectReader(root, VocabularyFileName).ReadIds());
        var model = new BytePairModel { Vocabulary = vocabulary, Merges = ReadMerges(Encoding.UTF8.GetString(FindContent(files, MergesFileName).Span)) };
        AddedToken[] added = vocabulary.TryGetValue(EndOfText, out int id) ? [new AddedToken(id, EndOfText)] : [];
        new TokenizerDefinition { Model = model, AddedTokens = added }.Validate(VocabularyFileName);
        return TokenizerJsonWriter.Write(model, added);
    }

    private static ReadOnlyMemory<byte> FindContent(IReadOnlyList<TokenizerFile> files, string name) =>
        files.FirstOrDefault(file => file.Name == name)?.Content
        ?? throw new InvalidDataException($"A tokenizer is {TokenizerJsonReader.FileName}, or {VocabularyFileName} and {MergesFileName}; {name} is missing.");

    private static List<(string Left, string Right)> ReadMerges(string text)
    {
        var merges = new List<(string Left, string Right)>();
        string[] lines = text.Split('\n');
        for (int number = 1; number <= lines.Length; number++)
        {
            // Other lines that begin with # are merges.
            string line = lines[number - 1].TrimEnd('\r');
            if (line.Length == 0 || line.StartsWith("#version", StringComparison.Ordinal))
                continue;

            merges.Add(line.Split(' ') is [{ Length: > 0 } left, { Length: > 0 } right]
                ? (left, right)
                : throw new InvalidDataException($"{MergesFileName}, line {number}: \"{Excerpt.Of(line)}\", expected two tokens with a space between them."));
        }

        return merges;
    }
}
