using MLNetExtension.Tokenization.HuggingFace;
using MLNetExtension.Tokenization.SentencePiece;

namespace MLNetExtension.Tokenization;

/// <summary>Loads and saves tokenizers as the folders that models are published in.</summary>
public static class TokenizerFolder
{
    private static readonly string[] Known =
    [
        "tokenizer.json", VocabularyAndMerges.VocabularyFileName, VocabularyAndMerges.MergesFileName, SentencePieceLanguageTokenizer.FileName,
        "tokenizer_config.json", "chat_template.jinja",
    ];

    /// <summary>Loads a tokenizer from a folder with <c>tokenizer.json</c>, with <c>vocab.json</c> and <c>merges.txt</c>, or with
    /// <c>tokenizer.model</c>: the first of the three that is there.</summary>
    /// <param name="folder">The folder; its other files are not looked at.</param>
    /// <returns>The tokenizer, which is a <see cref="Microsoft.ML.Tokenizers.Tokenizer"/> too.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="folder"/> is null.</exception>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="InvalidDataException">The folder has no tokenizer, or a file is damaged or has what this library does not know; the message
    /// names it.</exception>
    public static ILanguageTokenizer Load(string folder)
    {
        ArgumentNullException.ThrowIfNull(folder);
        if (!Directory.Exists(folder))
            throw new DirectoryNotFoundException($"The folder of a tokenizer, '{folder}', does not exist.");

        try
        {
            IEnumerable<string> names = Known.Where(name => File.Exists(Path.Combine(folder, name)));
            return Load([.. names.Select(name => new TokenizerFile(name, File.ReadAllBytes(Path.Combine(folder, name))))]);
        }
        catch (InvalidDataException error)
        {
            throw new InvalidDataException($"{folder}: {error.Message}", error);
        }
    }

    /// <summary>Makes a tokenizer of its files.</summary>
    /// <param name="files">The files, such as <see cref="ILanguageTokenizer.Files"/> gives them.</param>
    /// <returns>The tokenizer.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="files"/> is null.</exception>
    /// <exception cref="InvalidDataException">There is no tokenizer among the files, or one is damaged or has what this library does not know; the
    /// message names it.</exception>
    public static ILanguageTokenizer Load(IReadOnlyList<TokenizerFile> files)
    {
        ArgumentNullException.ThrowIfNull(files);
        bool hasPairs = files.Any(file => file.Name is "tokenizer.json" or VocabularyAndMerges.VocabularyFileName or VocabularyAndMerges.MergesFileName);
        return hasPairs ? HuggingFaceTokenizer.Create(files)
            : files.FirstOrDefault(file => file.Name == SentencePieceLanguageTokenizer.FileName) is { } model ? new SentencePieceLanguageTokenizer(model)
            : throw new InvalidDataException($"no tokenizer is here; known are {string.Join(", ", Known)}");
    }

    /// <summary>Saves a tokenizer, so that <see cref="Load(string)"/> gives it back.</summary>
    /// <param name="tokenizer">The tokenizer.</param>
    /// <param name="folder">The folder, which is made where it is not there; files of the same names are replaced.</param>
    /// <exception cref="ArgumentNullException"><paramref name="tokenizer"/> or <paramref name="folder"/> is null.</exception>
    /// <exception cref="ArgumentException">The tokenizer has no files, as that of bytes has none.</exception>
    public static void Save(ILanguageTokenizer tokenizer, string folder)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentNullException.ThrowIfNull(folder);
        if (tokenizer.Files.Count == 0)
            throw new ArgumentException($"A {tokenizer.GetType().Name} has no files to save: its kind says everything.", nameof(tokenizer));

        Directory.CreateDirectory(folder);
        foreach (TokenizerFile file in tokenizer.Files)
            File.WriteAllBytes(Path.Combine(folder, file.Name), file.Content.Span);
    }
}
