using MLNetExtension.Files;
using MLNetExtension.Tokenization.HuggingFace;
using MLNetExtension.Tokenization.SentencePiece;

namespace MLNetExtension.Tokenization;

/// <summary>Loads and saves tokenizers as the folders that models are published in.</summary>
public static class TokenizerFolder
{
    // Any of these is a tokenizer; the first that is there is read.
    private static readonly string[] Sources = [TokenizerJsonReader.FileName, VocabularyAndMerges.VocabularyFileName, VocabularyAndMerges.MergesFileName, SentencePieceLanguageTokenizer.FileName];

    private static readonly string[] Known = [.. Sources, .. TokenizerConfiguration.Names];

    /// <summary>Loads a tokenizer from a folder with <c>tokenizer.json</c>, with <c>vocab.json</c> and <c>merges.txt</c>, or with
    /// <c>tokenizer.model</c> (SentencePiece's, or Llama 3's in tiktoken's format): the first of the three that is there and can be read.</summary>
    /// <param name="folder">The folder; its other files are not looked at.</param>
    /// <returns>The tokenizer, which is a <see cref="Microsoft.ML.Tokenizers.Tokenizer"/> too.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="folder"/> is null.</exception>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="InvalidDataException">The folder has no tokenizer, or a file is damaged, longer than 100 MB or not a regular file; the message names it.</exception>
    /// <exception cref="NotSupportedException">A file has what this library does not know; the message names it.</exception>
    public static ILanguageTokenizer Load(string folder) => Open(folder).Tokenizer;

    /// <summary>Whether a folder has a file that a tokenizer can be made of.</summary>
    internal static bool HasTokenizer(string folder) => Sources.Any(name => File.Exists(Path.Combine(folder, name)));

    /// <summary>Loads a tokenizer from a folder, as <see cref="Load(string)"/> does.</summary>
    internal static LoadedTokenizer Open(string folder)
    {
        ArgumentNullException.ThrowIfNull(folder);
        Require.Name(folder);
        if (!Directory.Exists(folder))
            throw new DirectoryNotFoundException($"The folder of a tokenizer, '{folder}', does not exist.");

        try
        {
            IEnumerable<string> names = Known.Where(name => File.Exists(Path.Combine(folder, name)));
            return Open([.. names.Select(name => new TokenizerFile(name, RegularFile.ReadAllBytes(Path.Combine(folder, name), JsonFile.MaximumBytes)))]);
        }
        catch (InvalidDataException error)
        {
            throw new InvalidDataException($"{folder}: {error.Message}", error);
        }
        catch (NotSupportedException error)
        {
            throw new NotSupportedException($"{folder}: {error.Message}", error);
        }
    }

    /// <summary>Makes a tokenizer of its files.</summary>
    /// <param name="files">The files, such as <see cref="ILanguageTokenizer.Files"/> gives them.</param>
    /// <returns>The tokenizer.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="files"/> is null.</exception>
    /// <exception cref="InvalidDataException">There is no tokenizer among the files, or one is damaged; the message names it.</exception>
    /// <exception cref="NotSupportedException">A file has what this library does not know; the message names it.</exception>
    public static ILanguageTokenizer Load(IReadOnlyList<TokenizerFile> files)
    {
        ArgumentNullException.ThrowIfNull(files);
        return Open(files).Tokenizer;
    }

    /// <summary>Saves a tokenizer, so that <see cref="Load(string)"/> gives it back.</summary>
    /// <param name="tokenizer">The tokenizer.</param>
    /// <param name="folder">The folder, which is created if it is missing; the files of an earlier tokenizer are deleted once these are written.</param>
    /// <exception cref="ArgumentNullException"><paramref name="tokenizer"/> or <paramref name="folder"/> is null.</exception>
    /// <exception cref="ArgumentException">The tokenizer has no files.</exception>
    public static void Save(ILanguageTokenizer tokenizer, string folder)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentNullException.ThrowIfNull(folder);
        Require.Name(folder);
        if (tokenizer.Files.Count == 0)
            throw new ArgumentException($"A {tokenizer.GetType().Name} has no files to save.", nameof(tokenizer));

        using StagedFiles staged = StagedFiles.CreateIn(folder);
        foreach (TokenizerFile file in tokenizer.Files)
            staged.Write(file.Name, stream => stream.Write(file.Content.Span));
        staged.MoveInto(folder, marker: tokenizer.Files[0].Name, isStale: Known.Contains);
    }

    /// <summary>The files of a tokenizer for other libraries, of which many read no <c>tokenizer.model</c>: beside it they get a <c>tokenizer.json</c> wherever that gives the same ids.</summary>
    internal static IReadOnlyList<TokenizerFile> FilesForOthers(ILanguageTokenizer tokenizer)
    {
        if (tokenizer is not SentencePieceLanguageTokenizer { Model: var model } || SentencePieceJson.Write(model) is not { } json)
            return tokenizer.Files;

        return [.. tokenizer.Files, json, TokenizerConfiguration.Write(model.End)];
    }

    private static LoadedTokenizer Open(IReadOnlyList<TokenizerFile> files)
    {
        TokenizerFile? model = files.FirstOrDefault(file => file.Name == SentencePieceLanguageTokenizer.FileName);
        string source = Sources.FirstOrDefault(name => files.Any(file => file.Name == name))
            ?? throw new InvalidDataException($"no tokenizer is here; known are {string.Join(", ", Sources)}");
        if (source == model?.Name)
            return new LoadedTokenizer(CreateFrom(model, files), []);

        try
        {
            HuggingFaceTokenizer tokenizer = HuggingFaceTokenizer.Create(files);
            string ignored = string.Join(" and ", tokenizer.Ignored.Select(name => $"'{name}'"));
            return new LoadedTokenizer(tokenizer, tokenizer.Ignored.Count == 0 ? [] : [$"{source}: {ignored} are ignored, which change no ids: rows are truncated and padded by the trainer."]);
        }
        catch (Exception error) when (model is not null && error is InvalidDataException or NotSupportedException)
        {
            // As Llama 2 and its kin are published: with both files, of which the second says the same.
            return new LoadedTokenizer(LoadModel(model, files, error), [$"{model.Name} is read instead of {source}, which cannot be: {error.Message}"]);
        }
    }

    private static ILanguageTokenizer CreateFrom(TokenizerFile model, IReadOnlyList<TokenizerFile> files) => TiktokenModel.IsIn(model)
        ? HuggingFaceTokenizer.Create([model, .. files.Where(file => TokenizerConfiguration.Names.Contains(file.Name))])
        : new SentencePieceLanguageTokenizer(model, [.. files.Where(file => TokenizerConfiguration.Names.Contains(file.Name))]);

    private static ILanguageTokenizer LoadModel(TokenizerFile model, IReadOnlyList<TokenizerFile> files, Exception first)
    {
        try
        {
            return CreateFrom(model, files);
        }
        catch (InvalidDataException error)
        {
            throw new InvalidDataException($"{first.Message} And {error.Message}", error);
        }
    }
}
