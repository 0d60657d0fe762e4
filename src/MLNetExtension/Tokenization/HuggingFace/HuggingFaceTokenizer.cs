using System.Collections.Concurrent;
using System.Text;
using Microsoft.ML.Tokenizers;
using MLNetExtension.Files;
using MLNetExtension.Tokenization.Bytes;
using MLNetExtension.Tokenization.Chat;
using MLNetExtension.Tokenization.SentencePiece;

namespace MLNetExtension.Tokenization.HuggingFace;

/// <summary>
/// The tokenizer that Hugging Face models carry in <c>tokenizer.json</c>: byte pairs of bytes (GPT-2, Llama 3, Qwen) or of characters with bytes for those that it lacks (Llama 2, Mistral, Gemma), and
/// unigrams. It gives the same ids as the library that made the file.
/// </summary>
/// <remarks>
/// <para>Not <see cref="BpeTokenizer"/>, which prepares and decodes texts in other ways and takes quadratic time for a long word. Encoding, as
/// ML.NET's methods do it, finds special tokens that are written out in the text and adds none; <see cref="EncodeText"/> finds none either, so that
/// a text cannot forge the end of an example or a turn of a chat, and no model makes one of other characters.</para>
/// <para>Decoding drops special tokens unless asked not to. Where tokens are bytes, a text comes back whatever it is, and bytes that are not valid, or that a special token leaves incomplete, give U+FFFD;
/// elsewhere the file's decoders decide. Python's clean-up of spaces before punctuation is never done.</para>
/// <para>It does not change once it is made, and any number of threads may use one.</para>
/// </remarks>
internal sealed partial class HuggingFaceTokenizer : ByteTokenizer, IChatTokenizer
{
    private readonly TokenizerDefinition _definition;
    private readonly ChatFiles _chat;
    private readonly WordEncoder _words;
    private readonly PatternPreTokenizer _preTokenizer;
    private readonly TextPreparer _everyToken;
    private readonly TextPreparer _contentTokens;
    private readonly Dictionary<int, string> _texts;
    private readonly ConcurrentDictionary<int, byte[]> _bytes = new();
    private readonly Dictionary<int, string> _specialTokens;
    private readonly Func<char, bool>? _isLetter; // behind which a space ends what must be looked at

    internal HuggingFaceTokenizer(TokenizerDefinition definition, TokenizerConfiguration configuration, IReadOnlyList<TokenizerFile> files)
    {
        _definition = definition;
        Files = files;
        _chat = ChatFiles.Read(files);
        var special = definition.AddedTokens.Where(token => token.IsSpecial).Select(token => token.Id).ToHashSet();
        _words = new WordEncoder(definition.Model switch
        {
            BytePairModel pairs => new BytePairWords(pairs, definition.IsByteLevel, special),
            UnigramModel unigram => new UnigramWords(unigram, special),
            var other => throw new InvalidOperationException($"{other.GetType().Name} is no model."),
        });
        _preTokenizer = new PatternPreTokenizer(definition.Steps);
        _everyToken = new TextPreparer(definition.AddedTokens, definition.Normalizer);
        _contentTokens = new TextPreparer([.. definition.AddedTokens.Where(token => !token.IsSpecial)], definition.Normalizer);
        _isLetter = FindLetters();

        // A vocabulary may list special tokens too, so the added tokens come last.
        _texts = definition.Model.Vocabulary.ToDictionary(entry => entry.Value, entry => entry.Key);
        foreach (AddedToken token in definition.AddedTokens)
            _texts[token.Id] = token.Content;

        _specialTokens = definition.AddedTokens.Where(token => token.IsSpecial).ToDictionary(token => token.Id, token => token.Content);
        SpecialTokens = _specialTokens.ToDictionary(token => token.Value, token => token.Key);
        VocabularySize = _texts.Keys.Max() + 1;
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

    /// <summary>The model's tokens with their ids; where they are bytes, in the characters that stand for these.</summary>
    public IReadOnlyDictionary<string, int> Vocabulary => _definition.Model.Vocabulary;

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, string> NamedTokens => _chat.NamedTokens;

    /// <inheritdoc/>
    public (bool Left, bool Right) StripsAround(int specialToken) =>
        _definition.AddedTokens.FirstOrDefault(token => token.Id == specialToken) is { } token ? (token.StripsLeft, token.StripsRight) : (false, false);

    /// <inheritdoc/>
    public string? ChatTemplateSource => _chat.Template;

    /// <inheritdoc/>
    public string? ToolTemplateSource => _chat.ToolTemplate;

    /// <inheritdoc/>
    public IReadOnlyList<TokenizerFile> Files { get; }

    /// <summary>All that defines the tokenizer.</summary>
    public TokenizerDefinition Definition => _definition;

    /// <summary>What the file has that changes no ids and is ignored.</summary>
    public IReadOnlyList<string> Ignored => _definition.Ignored;

    /// <inheritdoc/>
    public override PreTokenizer? PreTokenizer => _preTokenizer;

    /// <inheritdoc/>
    public override Normalizer? Normalizer => _definition.Normalizer.IsNone ? null : _definition.Normalizer;

    /// <summary>Creates a tokenizer from the files of a model.</summary>
    /// <param name="files"><c>tokenizer.json</c>, or both <c>vocab.json</c> and <c>merges.txt</c>, or a <c>tokenizer.model</c> in tiktoken's format, and <c>tokenizer_config.json</c>,
    /// <c>special_tokens_map.json</c> and <c>chat_template.jinja</c> where there are some.</param>
    /// <returns>The tokenizer.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="files"/> is null.</exception>
    /// <exception cref="InvalidDataException">A file is missing or damaged; the message names it.</exception>
    /// <exception cref="NotSupportedException">A file has a component or an option that is not known; the message names it.</exception>
    public static HuggingFaceTokenizer Create(IReadOnlyList<TokenizerFile> files)
    {
        ArgumentNullException.ThrowIfNull(files);
        TokenizerFile tokenizer = files.FirstOrDefault(file => file.Name == TokenizerJsonReader.FileName)
            ?? (files.FirstOrDefault(file => file.Name == SentencePieceLanguageTokenizer.FileName && TiktokenModel.IsIn(file)) is { } model ? TiktokenModel.ToJson(model) : VocabularyAndMerges.ToJson(files));
        TokenizerDefinition definition = TokenizerJsonReader.Read(tokenizer.Content);
        return new HuggingFaceTokenizer(definition, TokenizerConfiguration.Read(files, definition.AddedTokens), [tokenizer, .. files.Where(file => TokenizerConfiguration.Names.Contains(file.Name))]);
    }

    /// <inheritdoc/>
    public override bool TryGetBytes(int id, out ReadOnlySpan<byte> bytes)
    {
        bool found = _texts.ContainsKey(id);
        bytes = found ? _bytes.GetOrAdd(id, FindBytes) : [];
        return found;
    }

    /// <inheritdoc/>
    public override string Decode(IEnumerable<int> ids) => Decode(ids, considerSpecialTokens: false);

    /// <summary>Decodes ids to their text.</summary>
    /// <param name="ids">Ids of this tokenizer.</param>
    /// <param name="considerSpecialTokens">Whether special tokens are written out.</param>
    /// <exception cref="InvalidOperationException">An id is not one of this tokenizer's.</exception>
    public string Decode(IEnumerable<int> ids, bool considerSpecialTokens)
    {
        if (_definition.Decoder is not { } decoder)
            return Decode(ids, considerSpecialTokens ? _specialTokens : null);

        ArgumentNullException.ThrowIfNull(ids);
        var tokens = new List<string>();
        foreach (int id in ids)
        {
            _ = GetBytes(id); // an error where there is no such token
            if (considerSpecialTokens || !_specialTokens.ContainsKey(id))
                tokens.Add(_texts[id]);
        }

        return decoder.Decode(tokens);
    }

    private byte[] FindBytes(int id)
    {
        string text = _texts[id];
        if (_specialTokens.ContainsKey(id))
            return [];

        bool isBytes = _definition.IsByteLevel && _definition.AddedTokens.All(token => token.Id != id);
        return _definition.Decoder?.BytesOf(text) ?? (isBytes ? ByteAlphabet.TryDecode(text) : null) ?? Encoding.UTF8.GetBytes(text);
    }

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

        bool addsBeginning = _definition.Prefix.Count > 0;
        if (configuration.AddsBeginning is not { } adds || adds == addsBeginning)
            return addsBeginning ? _definition.Prefix[0] : null;
        if (configuration.ReplacesTemplate)
            return adds ? FindId(configuration.BeginningOfText, "bos_token") : null;

        throw new InvalidDataException(
            $"{TokenizerConfiguration.FileName}: 'add_bos_token' is {(adds ? "true" : "false")}, and the post_processor of {TokenizerJsonReader.FileName} says otherwise.");
    }
}
