using System.Reflection;
using System.Text;

namespace MLNetExtension.Tokenization.HuggingFace;

/// <summary>GPT-2's two files, which came before <c>tokenizer.json</c>: the tokens and the merges. What they leave out is what GPT-2 does.</summary>
internal static class VocabularyAndMerges
{
    /// <summary>The usual name of the file of tokens.</summary>
    public const string VocabularyFileName = "vocab.json";

    /// <summary>The usual name of the file of merges.</summary>
    public const string MergesFileName = "merges.txt";

    private const string EndOfText = "<|endoftext|>";

    /// <summary>GPT-2's own tokenizer, of the vocabulary that the package <c>Microsoft.ML.TorchSharp</c> carries.</summary>
    /// <param name="package">The package's assembly: that of any of its types.</param>
    /// <returns>The tokenizer.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="package"/> is null.</exception>
    /// <exception cref="InvalidDataException">The assembly does not carry the vocabulary.</exception>
    public static HuggingFaceTokenizer FromPackage(Assembly package)
    {
        ArgumentNullException.ThrowIfNull(package);
        return HuggingFaceTokenizer.Create([Resource("encoder.json", VocabularyFileName), Resource("vocab.bpe", MergesFileName)]);

        TokenizerFile Resource(string name, string fileName)
        {
            using Stream stream = package.GetManifestResourceStream(name)
                ?? throw new InvalidDataException(
                    $"The assembly {package.GetName().Name} has no resource '{name}'; Microsoft.ML.TorchSharp carries GPT-2's vocabulary under that name.");
            using var content = new MemoryStream();
            stream.CopyTo(content);
            return new TokenizerFile(fileName, content.ToArray());
        }
    }

    internal static TokenizerDefinition Read(IReadOnlyList<TokenizerFile> files)
    {
        Dictionary<string, int> vocabulary = JsonComponent.Parse(VocabularyFileName, Content(files, VocabularyFileName)).Integers();
        var definition = new TokenizerDefinition
        {
            Vocabulary = vocabulary,
            Merges = Merges(Encoding.UTF8.GetString(Content(files, MergesFileName).Span)),
            AddedTokens = vocabulary.TryGetValue(EndOfText, out int id) ? [new AddedToken(id, EndOfText)] : [],
        };
        definition.Check(VocabularyFileName);
        return definition;
    }

    private static ReadOnlyMemory<byte> Content(IReadOnlyList<TokenizerFile> files, string name) =>
        files.FirstOrDefault(file => file.Name == name)?.Content
        ?? throw new InvalidDataException($"A tokenizer is {TokenizerJsonReader.FileName}, or {VocabularyFileName} and {MergesFileName}; {name} is missing.");

    private static List<(string Left, string Right)> Merges(string text)
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
                : throw new InvalidDataException($"{MergesFileName}, line {number}: \"{line}\", expected two tokens with a space between them."));
        }

        return merges;
    }
}
