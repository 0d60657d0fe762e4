using System.Globalization;
using System.Text;
using Microsoft.ML.Tokenizers;
using MLNetExtension.Tokenization.Bytes;
using MLNetExtension.Tokenization.Chat;

namespace MLNetExtension.Tokenization.SentencePiece;

/// <summary>The tokenizer of a SentencePiece model of byte pairs or unigrams, the <c>tokenizer.model</c> of Llama 2 and others.</summary>
/// <remarks>
/// <para>Not <see cref="SentencePieceTokenizer"/>: it splits runs such as <c>====</c>, and most texts under unigram models, differently from the library that made the model.</para>
/// <para>Where the model puts a space in front of a text, it is part of the first token, and <see cref="ByteTokenizer.ByteCount"/> counts it. Control pieces that are written out in a text stay
/// ordinary characters. Any number of threads may use one.</para>
/// </remarks>
internal sealed class SentencePieceLanguageTokenizer : ByteTokenizer, IChatTokenizer
{
    /// <summary>The file's usual name.</summary>
    public const string FileName = "tokenizer.model";

    /// <summary>The character that stands for a space in pieces.</summary>
    internal const char Space = '\u2581';

    // How much text is split at first where only the first tokens are needed: most pieces have fewer characters.
    private const int FirstChars = 1024, FirstCharsPerToken = 8;

    // So few that the symbols of a part are no large objects, which only a full collection frees.
    private const int CharsOfPart = 1 << 12;

    private readonly ChatFiles _chat;
    private readonly SentencePieceModel _model;
    private readonly PieceTable _pieces;
    private readonly IPieceSplitter _splitter;
    private readonly SentencePieceNormalizer _normalizer;
    private readonly byte[][] _bytes;
    private readonly PieceEncoder _encoder;
    private readonly Dictionary<int, string> _unknownText;

    /// <summary>Reads a model.</summary>
    /// <param name="file">The bytes of <c>tokenizer.model</c>.</param>
    /// <param name="chatFiles">The files with the chat template and the special tokens that it names; none by default.</param>
    /// <exception cref="ArgumentNullException"><paramref name="file"/> is null.</exception>
    /// <exception cref="InvalidDataException">The model is damaged.</exception>
    /// <exception cref="NotSupportedException">It is of a kind that is not known; the message says which.</exception>
    public SentencePieceLanguageTokenizer(TokenizerFile file, params IReadOnlyList<TokenizerFile> chatFiles)
    {
        ArgumentNullException.ThrowIfNull(file);
        Files = [file, .. chatFiles];
        _chat = ChatFiles.Read(chatFiles);
        _model = SentencePieceModel.Read(file);
        _pieces = new PieceTable(_model.Pieces);
        _splitter = _model.Kind == ModelKind.Unigram ? new UnigramSplitter(_pieces, _pieces.LowestScore, isSinglePrecision: true) : new BytePairSplitter(_pieces);
        _normalizer = CreateNormalizer(file);
        _bytes = [.. _model.Pieces.Select(BytesOf)];
        int unknownId = Find(piece => piece.Kind == PieceKind.Unknown)!.Value;
        _unknownText = new() { [unknownId] = _model.UnknownText };
        _encoder = new PieceEncoder(_pieces, unknownId, _model.HasByteFallback ? FindBytes() : null);
        EndOfTextId = Find(piece => piece.Kind == PieceKind.Control && piece.Text == _model.End)!.Value;
        BeginningOfTextId = Find(piece => piece.Kind == PieceKind.Control && piece.Text == _model.Beginning);
        SpecialTokens = Enumerable.Range(0, _bytes.Length).Where(id => _model.Pieces[id].Kind == PieceKind.Control).ToDictionary(id => _model.Pieces[id].Text);
        NamedTokens = NameTokens();
    }

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, int> SpecialTokens { get; }

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, string> NamedTokens { get; }

    /// <inheritdoc/>
    public string? ChatTemplateSource => _chat.Template;

    /// <inheritdoc/>
    public string? ToolTemplateSource => _chat.ToolTemplate;

    /// <inheritdoc/>
    public override int VocabularySize => _bytes.Length;

    /// <inheritdoc/>
    public int EndOfTextId { get; }

    /// <inheritdoc/>
    public int? BeginningOfTextId { get; }

    /// <inheritdoc/>
    public IReadOnlyList<TokenizerFile> Files { get; }

    /// <summary>Its pieces and how they are found.</summary>
    public SentencePieceModel Model => _model;

    /// <inheritdoc/>
    public override Normalizer Normalizer => _normalizer;

    /// <inheritdoc/>
    public IReadOnlyList<int> EncodeText(string text)
    {
        string normalized = Normalizer.Normalize(text);
        return [.. _encoder.Encode(normalized, _splitter.Split(normalized)).Select(token => token.Id)];
    }

    /// <inheritdoc/>
    public IReadOnlyList<int> EncodeStart(string text, int maximumCount)
    {
        for (long chars = Math.Max(FirstChars, FirstCharsPerToken * (long)maximumCount); ; chars *= 4)
        {
            string normalized = _normalizer.NormalizeStart(text, (int)Math.Min(chars, int.MaxValue), out bool isWhole);
            List<PlacedToken> tokens = _encoder.Encode(normalized, isWhole ? _splitter.Split(normalized) : SplitStart(normalized));
            if (isWhole || tokens.Count >= maximumCount)
                return [.. tokens.Take(maximumCount).Select(token => token.Id)];
        }
    }

    /// <inheritdoc/>
    public void EncodeParts(string text, Action<IReadOnlyList<int>> read)
    {
        string normalized = Normalizer.Normalize(text);
        int start = 0, length = CharsOfPart;
        // The best way through a whole text is the sum of its scores from the beginning on: unigrams have no parts.
        while (_splitter is BytePairSplitter && normalized.Length - start > 2L * length)
        {
            string part = normalized.Substring(start, length);
            List<PlacedToken> tokens = _encoder.EncodeCertain(part, _splitter.SplitStart(part));
            if (tokens.Count == 0)
            {
                length *= 4;
                continue;
            }

            read([.. tokens.Select(token => token.Id)]);
            start += tokens[^1].End;
            length = CharsOfPart;
        }

        string rest = normalized[start..];
        read([.. _encoder.Encode(rest, _splitter.Split(rest)).Select(token => token.Id)]);
    }

    /// <inheritdoc/>
    public override bool TryGetBytes(int id, out ReadOnlySpan<byte> bytes)
    {
        bool found = (uint)id < (uint)_bytes.Length;
        bytes = found ? _bytes[id] : [];
        return found;
    }

    /// <summary>Decodes ids to their text, without the space that encoding puts in front of it. Control pieces give no characters, the unknown piece those that the model says.</summary>
    /// <inheritdoc/>
    public override string Decode(IEnumerable<int> ids)
    {
        int[] all = [.. ids];
        string text = Decode(all, _unknownText);
        if (_model.Normalization is { AddsSpace: false, RemovesExtraSpaces: false })
            return text;

        int dropped = 0;
        foreach (Piece piece in all.Select(id => _pieces[id]))
        {
            if (piece.Kind == PieceKind.Control)
                continue;

            if (piece.Kind is PieceKind.Byte or PieceKind.Unknown || piece.Text[0] != Space)
                break;

            dropped++;
            if (!_model.Normalization.RemovesExtraSpaces || piece.Text.Length > 1)
                break;
        }

        return text[dropped..];
    }

    /// <inheritdoc/>
    protected override (string Text, List<EncodedToken> Tokens) Tokenize(string text, EncodeSettings settings)
    {
        string normalized = settings.ConsiderNormalization ? Normalizer.Normalize(text) : text;
        return (normalized, [.. _encoder.Encode(normalized, _splitter.Split(normalized)).Select(token => new EncodedToken(token.Id, _pieces[token.Id].Text, token.Start..token.End))]);
    }

    private SentencePieceNormalizer CreateNormalizer(TokenizerFile file)
    {
        try
        {
            return new SentencePieceNormalizer(_model.Normalization, _pieces);
        }
        catch (InvalidDataException error)
        {
            throw SentencePieceModel.CreateError(file, error);
        }
    }

    private List<int> SplitStart(string normalized) => _pieces.SpacesBeginPieces && PieceTable.FindWord(normalized) is var end and > 0
        ? _splitter.Split(normalized[..end])
        : _splitter.SplitStart(normalized);

    // The model's own, unless the files name others.
    private Dictionary<string, string> NameTokens()
    {
        var tokens = new Dictionary<string, string>(_chat.NamedTokens);
        tokens.TryAdd("eos_token", _model.End);
        if (BeginningOfTextId is not null)
            tokens.TryAdd("bos_token", _model.Beginning);
        return tokens;
    }

    private int[] FindBytes()
    {
        var ids = new int[byte.MaxValue + 1];
        for (int id = 0; id < _bytes.Length; id++)
        {
            if (_model.Pieces[id].Kind == PieceKind.Byte)
                ids[_bytes[id][0]] = id;
        }

        return ids;
    }

    private int? Find(Predicate<Piece> isIt) => Array.FindIndex([.. _model.Pieces], isIt) is var id and >= 0 ? id : null;

    private static byte[] BytesOf(Piece piece) => piece.Kind switch
    {
        PieceKind.Unknown or PieceKind.Control => [],
        PieceKind.Byte => [byte.Parse(piece.Text.AsSpan(3, 2), NumberStyles.HexNumber, CultureInfo.InvariantCulture)],
        _ => Encoding.UTF8.GetBytes(piece.Text.Replace(Space, ' ')),
    };
}
