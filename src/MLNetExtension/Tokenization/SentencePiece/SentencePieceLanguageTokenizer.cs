using System.Buffers;
using System.Text;
using Microsoft.ML.Tokenizers;

namespace MLNetExtension.Tokenization.SentencePiece;

/// <summary>The tokenizer of a SentencePiece model, the <c>tokenizer.model</c> of Llama 2 and others, which ML.NET reads.</summary>
/// <remarks>
/// ML.NET encodes and decodes; this class adds the ids of beginning and end, and counts bytes. Where the model puts a space in front of a text, it is
/// part of the first token, and <see cref="ByteCount"/> counts it.
/// </remarks>
internal sealed class SentencePieceLanguageTokenizer : Tokenizer, ILanguageTokenizer
{
    /// <summary>The file's usual name.</summary>
    public const string FileName = "tokenizer.model";

    private const char Space = '\u2581';

    private readonly SentencePieceTokenizer _tokenizer;
    private readonly Dictionary<int, string> _pieces;

    /// <summary>Reads a model.</summary>
    /// <param name="file">The bytes of <c>tokenizer.model</c>.</param>
    /// <exception cref="ArgumentNullException"><paramref name="file"/> is null.</exception>
    /// <exception cref="InvalidDataException">ML.NET cannot read the model; the message says why.</exception>
    public SentencePieceLanguageTokenizer(TokenizerFile file)
    {
        ArgumentNullException.ThrowIfNull(file);
        Files = [file];
        try
        {
            using var stream = new MemoryStream(file.Content.ToArray());
            _tokenizer = SentencePieceTokenizer.Create(stream, addBeginningOfSentence: false, addEndOfSentence: false);
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            throw new InvalidDataException($"{file.Name} cannot be read as a SentencePiece model: {error.Message}", error);
        }

        _pieces = _tokenizer.Vocabulary.ToDictionary(entry => entry.Value, entry => entry.Key);
        VocabularySize = _pieces.Keys.Max() + 1;
    }

    /// <inheritdoc/>
    public int VocabularySize { get; }

    /// <inheritdoc/>
    public int EndOfTextId => _tokenizer.EndOfSentenceId;

    /// <inheritdoc/>
    public int? BeginningOfTextId => _tokenizer.BeginningOfSentenceId;

    /// <inheritdoc/>
    public IReadOnlyList<TokenizerFile> Files { get; }

    /// <inheritdoc/>
    public override Normalizer? Normalizer => _tokenizer.Normalizer;

    /// <inheritdoc/>
    public IReadOnlyList<int> EncodeText(string text) => _tokenizer.EncodeToIds(text);

    /// <inheritdoc/>
    public int ByteCount(int id)
    {
        if (!_pieces.TryGetValue(id, out string? piece))
            throw new InvalidOperationException($"Token id {id} is none of the {_pieces.Count} tokens of {FileName}.");

        bool isMark = id == EndOfTextId || id == BeginningOfTextId || id == _tokenizer.UnknownId;
        return isMark ? 0 : IsByte(piece) ? 1 : Encoding.UTF8.GetByteCount(piece.Replace(Space, ' '));
    }

    /// <inheritdoc/>
    public override string Decode(IEnumerable<int> ids) => _tokenizer.Decode(ids);

    /// <inheritdoc/>
    public override OperationStatus Decode(IEnumerable<int> ids, Span<char> destination, out int idsConsumed, out int charsWritten) =>
        _tokenizer.Decode(ids, destination, out idsConsumed, out charsWritten);

    /// <inheritdoc/>
    /// <remarks>Where a maximum number of tokens is given, characters stay whole: fewer tokens than asked for may come back.</remarks>
    /// <exception cref="ArgumentOutOfRangeException">The maximum number of tokens is not positive.</exception>
    protected override EncodeResults<EncodedToken> EncodeToTokens(string? text, ReadOnlySpan<char> textSpan, EncodeSettings settings)
    {
        if (settings.MaxTokenCount <= 0)
            throw new ArgumentOutOfRangeException(nameof(settings), settings.MaxTokenCount, "The maximum number of tokens must be 1 or more.");

        // Not ML.NET's own limit, which gives more tokens than asked for where it falls inside the bytes of a character.
        string source = text ?? textSpan.ToString();
        IReadOnlyList<EncodedToken> tokens = _tokenizer.EncodeToTokens(
            source, out string? normalized, addBeginningOfSentence: false, addEndOfSentence: false, settings.ConsiderPreTokenization, settings.ConsiderNormalization);
        int count = Math.Min(tokens.Count, settings.MaxTokenCount);
        while (count > 0 && count < tokens.Count && IsInsideCharacter(tokens[count]))
            count--;

        int consumed = count == tokens.Count ? (normalized ?? source).Length : tokens[count].Offset.Start.Value;
        return new() { Tokens = [.. tokens.Take(count)], NormalizedText = normalized, CharsConsumed = consumed };
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentOutOfRangeException">The maximum number of tokens is not positive.</exception>
    protected override int GetIndexByTokenCount(
        string? text, ReadOnlySpan<char> textSpan, EncodeSettings settings, bool fromEnd, out string? normalizedText, out int tokenCount)
    {
        int maximum = settings.MaxTokenCount;
        if (fromEnd && maximum > 0)
            settings.MaxTokenCount = int.MaxValue;

        EncodeResults<EncodedToken> results = EncodeToTokens(text, textSpan, settings);
        IReadOnlyList<EncodedToken> tokens = results.Tokens;
        normalizedText = results.NormalizedText;
        int first = fromEnd ? Math.Max(0, tokens.Count - maximum) : 0;
        while (first < tokens.Count && IsInsideCharacter(tokens[first]))
            first++;

        tokenCount = tokens.Count - first;
        return !fromEnd || tokenCount == 0 ? results.CharsConsumed : tokens[first].Offset.Start.Value;
    }

    private static bool IsByte(string piece) => piece.Length == 6 && piece.StartsWith("<0x", StringComparison.Ordinal) && piece[^1] == '>';

    // The bytes of a character after its first are 80 to BF.
    private bool IsInsideCharacter(EncodedToken token) => _pieces[token.Id] is var piece && IsByte(piece) && piece[3] is ('8' or '9' or 'A' or 'B');
}
