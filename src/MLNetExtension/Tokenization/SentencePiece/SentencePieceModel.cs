using Google.Protobuf;
using MLNetExtension.Files;

namespace MLNetExtension.Tokenization.SentencePiece;

/// <summary>The content of a <c>tokenizer.model</c>.</summary>
/// <param name="Pieces">The pieces in order of their ids.</param>
/// <param name="Kind">How text is split into pieces.</param>
/// <param name="HasByteFallback">Whether a character that is no piece becomes the pieces of its bytes.</param>
/// <param name="UnknownText">What the unknown piece decodes to.</param>
/// <param name="Beginning">The control piece that begins a text.</param>
/// <param name="End">The control piece that ends a text.</param>
/// <param name="Normalization">How text is normalized.</param>
/// <remarks>Source: <c>sentencepiece_model.proto</c>, https://github.com/google/sentencepiece; numbers of fields and defaults are its.</remarks>
internal sealed record SentencePieceModel(
    IReadOnlyList<Piece> Pieces, ModelKind Kind, bool HasByteFallback, string UnknownText, string Beginning, string End, Normalization Normalization)
{
    /// <summary>The chars that a piece may have; SentencePiece's own limit is 512 unless a user defines the piece.</summary>
    private const int MaximumPiece = 1024;

    /// <summary>Reads a model.</summary>
    /// <exception cref="InvalidDataException">It is damaged.</exception>
    /// <exception cref="NotSupportedException">It is of a kind that this library does not know.</exception>
    public static SentencePieceModel Read(TokenizerFile file)
    {
        try
        {
            SentencePieceModel model = Read(new ProtocolMessage(file.Content), file.Name);
            model.Check();
            return model;
        }
        catch (Exception error) when (error is InvalidProtocolBufferException or InvalidDataException)
        {
            throw CreateError(file, error);
        }
    }

    /// <summary>Makes the error for a file that is damaged.</summary>
    public static InvalidDataException CreateError(TokenizerFile file, Exception error) => new($"{file.Name} cannot be read as a SentencePiece model: {error.Message}", error);

    private static SentencePieceModel Read(ProtocolMessage root, string name)
    {
        var empty = new ProtocolMessage(default);
        ProtocolMessage trainer = root.GetMessages(2).LastOrDefault(empty), normalizer = root.GetMessages(3).LastOrDefault(empty), denormalizer = root.GetMessages(5).LastOrDefault(empty);
        var kind = (ModelKind)trainer.Get(3, 1UL);
        Piece[] pieces = [.. root.GetMessages(1).Select(piece => new Piece(piece.GetString(1, ""), piece.Get(2, 0f), (PieceKind)piece.Get(3, 1UL)))];
        (bool IsKnown, string What)[] known =
        [
            (kind is ModelKind.Unigram or ModelKind.BytePairs, $"is a model of {kind.ToString().ToLowerInvariant()}; known are unigrams and byte pairs"),
            (!trainer.GetBoolean(24, false), "puts spaces behind words ('treat_whitespace_as_suffix')"),
            (denormalizer.Get(2, ByteString.Empty).IsEmpty, "has rules of denormalization ('denormalizer_spec')"),
            (!pieces.Any(piece => piece.Kind == PieceKind.Unused), "has unused pieces"),
        ];
        if (known.FirstOrDefault(condition => !condition.IsKnown).What is { } what)
            throw new NotSupportedException($"{name} {what}, which is not supported.");
        return new SentencePieceModel(
            pieces, kind, trainer.GetBoolean(35, false), trainer.GetString(44, " \u2047 "), trainer.GetString(46, "<s>"), trainer.GetString(47, "</s>"),
            new Normalization(normalizer.Get(2, ByteString.Empty).Memory, normalizer.GetBoolean(3, true), normalizer.GetBoolean(4, true), normalizer.GetBoolean(5, true)));
    }

    private void Check()
    {
        IEnumerable<string> bytes = Pieces.Where(piece => piece.Kind == PieceKind.Byte).Select(piece => piece.Text).Order(StringComparer.Ordinal);
        (bool Holds, string What)[] rules =
        [
            (Pieces.All(piece => Enum.IsDefined(piece.Kind)), "it has a piece of a kind that is not known"),
            (Pieces.All(piece => double.IsFinite(piece.Score)), "it has a score that is no finite number"),
            (Pieces.All(piece => piece.Text.Length <= MaximumPiece), $"it has a piece of more than {MaximumPiece} characters"),
            (Pieces.Count(piece => piece.Kind == PieceKind.Unknown) == 1, "it has no unknown piece, or several"),
            (Pieces.Any(piece => piece.Kind == PieceKind.Control && piece.Text == End), $"it has no control piece '{Excerpt.Of(End)}', which ends a text"),
            (Pieces.All(piece => piece.Text.Length > 0) && Pieces.DistinctBy(piece => piece.Text).Count() == Pieces.Count, "it has an empty piece, or one twice"),
            (bytes.SequenceEqual(HasByteFallback ? Enumerable.Range(0, 256).Select(value => $"<0x{value:X2}>") : []), "it lacks pieces of bytes, or has them without 'byte_fallback'"),
        ];
        if (rules.FirstOrDefault(rule => !rule.Holds).What is { } what)
            throw new InvalidDataException($"{what}.");
    }
}

/// <summary>A piece.</summary>
/// <param name="Text">Its characters, with U+2581 for spaces.</param>
/// <param name="Score">Among byte pairs, those of the higher score are merged first; in a unigram model, its log probability.</param>
/// <param name="Kind">What it stands for.</param>
internal sealed record Piece(string Text, double Score, PieceKind Kind);

/// <summary>How text is normalized.</summary>
/// <param name="CharacterMap">The compiled rules; empty where there are none.</param>
/// <param name="AddsSpace">Whether a text gets a space in front.</param>
/// <param name="RemovesExtraSpaces">Whether spaces at the ends of a text are dropped, and those after a space.</param>
/// <param name="EscapesSpaces">Whether spaces are written as U+2581.</param>
internal sealed record Normalization(ReadOnlyMemory<byte> CharacterMap, bool AddsSpace, bool RemovesExtraSpaces, bool EscapesSpaces);

/// <summary>The kinds of model by their numbers.</summary>
internal enum ModelKind
{
    Unigram = 1,
    BytePairs = 2,
    Words = 3,
    Characters = 4,
}

/// <summary>The kinds of piece by their numbers.</summary>
internal enum PieceKind
{
    Normal = 1,
    Unknown = 2,
    Control = 3,
    UserDefined = 4,
    Unused = 5,
    Byte = 6,
}
