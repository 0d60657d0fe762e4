using System.Text;
using Microsoft.ML.Tokenizers;
using MLNetExtension.Files;
using MLNetExtension.Tokenization.Bytes;
using MLNetExtension.Tokenization.Chat;
using MLNetExtension.Tokenization.Normalization;

namespace MLNetExtension.Tokenization.HuggingFace;

/// <summary>
/// The byte-level byte-pair tokenizer that Hugging Face models such as GPT-2, Llama 3 and Qwen carry in <c>tokenizer.json</c>. It gives the same ids
/// as the library that made the file, and is lossless for every .NET string that its normalizer leaves unchanged.
/// </summary>
/// <remarks>
/// <para>Not <see cref="BpeTokenizer"/>, which prepares and decodes texts in other ways and takes quadratic time for a long word. Encoding, as
/// ML.NET's methods do it, finds special tokens that are written out in the text and adds none; <see cref="EncodeText"/> finds none either, so that
/// a text cannot forge the end of an example or a turn of a chat.</para>
/// <para>Decoding drops special tokens unless asked not to. Bytes that are not valid, or that a special token leaves incomplete, give U+FFFD; a lone
/// surrogate is encoded in three bytes and comes back. Python's clean-up of spaces before punctuation is never done.</para>
/// <para>It does not change once it is made, and any number of threads may use one.</para>
/// </remarks>
internal sealed partial class HuggingFaceTokenizer : ByteTokenizer, IChatTokenizer
{
    private readonly TokenizerDefinition _definition;
    private readonly WordEncoder _words;
    private readonly PatternPreTokenizer _preTokenizer;
    private readonly CanonicalComposition? _normalizer;
    private readonly TextPreparer _everyToken;
    private readonly TextPreparer _contentTokens;
    private readonly Dictionary<int, byte[]> _bytes;
    private readonly Dictionary<int, string> _specialTokens;

    internal HuggingFaceTokenizer(TokenizerDefinition definition, TokenizerConfiguration configuration, IReadOnlyList<TokenizerFile> files)
    {
        _definition = definition;
        Files = files;
        ChatTemplateSource = configuration.ChatTemplate;
        _words = new WordEncoder(definition);
        _preTokenizer = new PatternPreTokenizer(definition.Patterns);
        _normalizer = definition.UsesNfc ? new CanonicalComposition() : null;
        _everyToken = new TextPreparer(definition.AddedTokens, _normalizer);
        _contentTokens = new TextPreparer([.. definition.AddedTokens.Where(token => !token.IsSpecial)], _normalizer);

        // A vocabulary may list special tokens too, so the added tokens come last.
        _bytes = definition.Vocabulary.ToDictionary(entry => entry.Value, entry => ByteAlphabet.TryDecode(entry.Key) ?? Encoding.UTF8.GetBytes(entry.Key));
        foreach (AddedToken token in definition.AddedTokens)
            _bytes[token.Id] = token.IsSpecial ? [] : Encoding.UTF8.GetBytes(token.Content);

        _specialTokens = definition.AddedTokens.Where(token => token.IsSpecial).ToDictionary(token => token.Id, token => token.Content);
        SpecialTokens = _specialTokens.ToDictionary(token => token.Value, token => token.Key);
        VocabularySize = _bytes.Keys.Max() + 1;
        EndOfTextId = FindId(configuration.EndOfText, "eos_token") ?? throw new InvalidDataException(
            $"{TokenizerConfiguration.FileName}: no 'eos_token' is named, and none of the usual ones is a token of {TokenizerJsonReader.FileName}.");
        FindId(configuration.BeginningOfText, "bos_token");
        BeginningOfTextId = ReadBeginningOfText(configuration);
    }

    /// <inheritdoc/>
    public override int VocabularySize { get; }

    /// <inheritdoc/>
    public int EndOfTextId { get; }

    /// <inheritdoc/>
    public int? BeginningOfTextId { get; }

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, int> SpecialTokens { get; }

    /// <summary>The merged tokens, in the characters that stand for bytes, with their ids.</summary>
    public IReadOnlyDictionary<string, int> Vocabulary => _definition.Vocabulary;

    /// <inheritdoc/>
    public string? ChatTemplateSource { get; }

    /// <inheritdoc/>
    public IReadOnlyList<TokenizerFile> Files { get; }

    /// <summary>What the file has that changes no ids and is ignored.</summary>
    public IReadOnlyList<string> Ignored => _definition.Ignored;

    /// <inheritdoc/>
    public override PreTokenizer? PreTokenizer => _preTokenizer;

    /// <inheritdoc/>
    public override Normalizer? Normalizer => _normalizer;

    /// <summary>Creates a tokenizer from the files of a model.</summary>
    /// <param name="files"><c>tokenizer.json</c> or both <c>vocab.json</c> and <c>merges.txt</c>, and <c>tokenizer_config.json</c> and
    /// <c>chat_template.jinja</c> where there are some.</param>
    /// <returns>The tokenizer.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="files"/> is null.</exception>
    /// <exception cref="InvalidDataException">A file is missing or damaged; the message names it.</exception>
    /// <exception cref="NotSupportedException">A file has a component or an option that is not known; the message names it.</exception>
    public static HuggingFaceTokenizer Create(IReadOnlyList<TokenizerFile> files)
    {
        ArgumentNullException.ThrowIfNull(files);
        if (files.FirstOrDefault(file => file.Name == TokenizerJsonReader.FileName) is not { } tokenizer)
            return Create(VocabularyAndMerges.Read(files), files);

        TokenizerDefinition definition = TokenizerJsonReader.Read(tokenizer.Content);
        return new HuggingFaceTokenizer(definition, TokenizerConfiguration.Read(files, definition.AddedTokens), SelectFiles(files, tokenizer));
    }

    /// <summary>Creates a tokenizer from a definition that comes from elsewhere, and writes the <c>tokenizer.json</c> that says the same.</summary>
    internal static HuggingFaceTokenizer Create(TokenizerDefinition definition, IReadOnlyList<TokenizerFile> files) =>
        new(definition, TokenizerConfiguration.Read(files, definition.AddedTokens), SelectFiles(files, TokenizerJsonWriter.Write(definition)));

    /// <inheritdoc/>
    public override bool TryGetBytes(int id, out ReadOnlySpan<byte> bytes)
    {
        bool found = _bytes.TryGetValue(id, out byte[]? token);
        bytes = token;
        return found;
    }

    /// <summary>Decodes ids to their text.</summary>
    /// <param name="ids">Ids of this tokenizer.</param>
    /// <param name="considerSpecialTokens">Whether special tokens are written out.</param>
    /// <exception cref="InvalidOperationException">An id is not one of this tokenizer's.</exception>
    public string Decode(IEnumerable<int> ids, bool considerSpecialTokens) => Decode(ids, considerSpecialTokens ? _specialTokens : null);

    private static IReadOnlyList<TokenizerFile> SelectFiles(IReadOnlyList<TokenizerFile> files, TokenizerFile tokenizer) =>
        [tokenizer, .. files.Where(file => file.Name is TokenizerConfiguration.FileName or TokenizerConfiguration.TemplateFileName)];

    private int? FindId(string? token, string role)
    {
        if (token is null)
            return null;

        return SpecialTokens.TryGetValue(token, out int id) || Vocabulary.TryGetValue(token, out id)
            ? id
            : throw new InvalidDataException($"{TokenizerConfiguration.FileName}: '{role}' is '{Excerpt.Of(token)}', which {TokenizerJsonReader.FileName} lacks.");
    }

    private int? ReadBeginningOfText(TokenizerConfiguration configuration)
    {
        if (_definition.Prefix.Count > 1 || _definition.Suffix.Count > 1)
        {
            throw new InvalidDataException(
                $"{TokenizerJsonReader.FileName}: post_processor puts {_definition.Prefix.Count} tokens in front of a text and {_definition.Suffix.Count} "
                + "behind it; known is at most one each.");
        }

        foreach (int id in _definition.Prefix.Concat(_definition.Suffix).Where(id => !_specialTokens.ContainsKey(id)))
            throw new InvalidDataException($"{TokenizerJsonReader.FileName}: post_processor adds the id {id}, which is no special token.");

        if (configuration.AddsBeginning is { } adds && adds != _definition.Prefix.Count > 0)
        {
            throw new InvalidDataException(
                $"{TokenizerConfiguration.FileName}: 'add_bos_token' is {(adds ? "true" : "false")}, and the post_processor of "
                + $"{TokenizerJsonReader.FileName} says otherwise.");
        }

        return _definition.Prefix.Count == 0 ? null : _definition.Prefix[0];
    }
}
