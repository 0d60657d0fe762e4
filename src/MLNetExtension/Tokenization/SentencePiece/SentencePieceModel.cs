using System.Text.RegularExpressions;
using Google.Protobuf;

namespace MLNetExtension.Tokenization.SentencePiece;

/// <summary>The content of a <c>tokenizer.model</c>.</summary>
/// <remarks>Source: <c>sentencepiece_model.proto</c>, https://github.com/google/sentencepiece; numbers of fields and defaults are its.</remarks>
internal sealed partial record SentencePieceModel
{
    /// <summary>The kinds of model by their numbers.</summary>
    public enum Kind
    {
        Unigram = 1,
        BytePairs = 2,
        Words = 3,
        Characters = 4,
    }

    /// <summary>The kinds of piece by their numbers.</summary>
    public enum PieceKind
    {
        Normal = 1,
        Unknown = 2,
        Control = 3,
        UserDefined = 4,
        Unused = 5,
        Byte = 6,
    }

    /// <summary>The pieces in order of their ids.</summary>
    public List<Piece> Pieces { get; } = [];

    /// <summary>How text is split into pieces.</summary>
    public Kind ModelKind { get; private set; } = Kind.Unigram;

    /// <summary>Whether a character that is no piece becomes the pieces of its bytes.</summary>
    public bool HasByteFallback { get; private set; }

    /// <summary>What the unknown piece decodes to.</summary>
    public string UnknownText { get; private set; } = " \u2047 ";

    /// <summary>The control piece that begins a text.</summary>
    public string Beginning { get; private set; } = "<s>";

    /// <summary>The control piece that ends a text.</summary>
    public string End { get; private set; } = "</s>";

    /// <summary>The compiled rules of normalization; empty where there are none.</summary>
    public ReadOnlyMemory<byte> CharacterMap { get; private set; }

    /// <summary>Whether a text gets a space in front.</summary>
    public bool AddsSpace { get; private set; } = true;

    /// <summary>Whether spaces at the ends of a text are dropped, and those after a space.</summary>
    public bool RemovesExtraSpaces { get; private set; } = true;

    /// <summary>Whether spaces are written as U+2581.</summary>
    public bool EscapesSpaces { get; private set; } = true;

    /// <summary>Reads a model.</summary>
    /// <exception cref="InvalidDataException">It is damaged, or has what this library does not know.</exception>
    public static SentencePieceModel Read(TokenizerFile file)
    {
        if (TiktokenLine().IsMatch(System.Text.Encoding.ASCII.GetString(file.Content.Span[..Math.Min(file.Content.Length, 100)])))
        {
            throw new InvalidDataException($"{file.Name} is in tiktoken's text format (a token in base64 and its rank on each line), as Llama 3 was first published, and not a SentencePiece model. "
                + "The tokenizer.json that the same model is published with is what this library reads.");
        }

        try
        {
            var model = new SentencePieceModel();
            model.Read(file.Content);
            return model.Check();
        }
        catch (Exception error) when (error is InvalidProtocolBufferException or InvalidDataException)
        {
            throw new InvalidDataException($"{file.Name} cannot be read as a SentencePiece model: {error.Message}", error);
        }
    }

    private void Read(ReadOnlyMemory<byte> content) => ReadFields(content, (field, input) =>
    {
        switch (field)
        {
            case 1: Pieces.Add(ReadPiece(input.ReadBytes().Memory)); break;
            case 2: ReadFields(input.ReadBytes().Memory, ReadTrainerField); break;
            case 3: ReadFields(input.ReadBytes().Memory, ReadNormalizerField); break;
            case 5: ReadFields(input.ReadBytes().Memory, RefuseDenormalizer); break;
            default: input.SkipLastField(); break;
        }
    });

    private void ReadTrainerField(int field, CodedInputStream input)
    {
        switch (field)
        {
            case 3: ModelKind = (Kind)input.ReadEnum(); break;
            case 24: Refuse(input.ReadBool(), "puts spaces behind words (treat_whitespace_as_suffix)"); break;
            case 35: HasByteFallback = input.ReadBool(); break;
            case 44: UnknownText = input.ReadString(); break;
            case 46: Beginning = input.ReadString(); break;
            case 47: End = input.ReadString(); break;
            default: input.SkipLastField(); break;
        }
    }

    private void ReadNormalizerField(int field, CodedInputStream input)
    {
        switch (field)
        {
            case 2: CharacterMap = input.ReadBytes().Memory; break;
            case 3: AddsSpace = input.ReadBool(); break;
            case 4: RemovesExtraSpaces = input.ReadBool(); break;
            case 5: EscapesSpaces = input.ReadBool(); break;
            default: input.SkipLastField(); break;
        }
    }

    private static void RefuseDenormalizer(int field, CodedInputStream input)
    {
        if (field == 2)
            Refuse(input.ReadBytes().Length > 0, "has rules of denormalization (denormalizer_spec)");
        else
            input.SkipLastField();
    }

    private static Piece ReadPiece(ReadOnlyMemory<byte> content)
    {
        var piece = new Piece("", 0, PieceKind.Normal);
        ReadFields(content, (field, input) =>
        {
            switch (field)
            {
                case 1: piece = piece with { Text = input.ReadString() }; break;
                case 2: piece = piece with { Score = input.ReadFloat() }; break;
                case 3: piece = piece with { Kind = (PieceKind)input.ReadEnum() }; break;
                default: input.SkipLastField(); break;
            }
        });
        return piece;
    }

    private static void ReadFields(ReadOnlyMemory<byte> content, Action<int, CodedInputStream> read)
    {
        using var input = new CodedInputStream(content.ToArray());
        for (uint tag = input.ReadTag(); tag != 0; tag = input.ReadTag())
            read(WireFormat.GetTagFieldNumber(tag), input);
    }

    private SentencePieceModel Check()
    {
        Refuse(ModelKind is not (Kind.Unigram or Kind.BytePairs), $"is a model of {ModelKind.ToString().ToLowerInvariant()}");
        Refuse(Pieces.Any(piece => piece.Kind == PieceKind.Unused), "has unused pieces");
        RequireThat(Pieces.Count(piece => piece.Kind == PieceKind.Unknown) == 1, "has no unknown piece, or several");
        RequireThat(Pieces.Any(piece => piece.Kind == PieceKind.Control && piece.Text == End), $"has no control piece '{End}', which ends a text");
        RequireThat(Pieces.All(piece => piece.Text.Length > 0) && Pieces.DistinctBy(piece => piece.Text).Count() == Pieces.Count, "has an empty piece, or one twice");
        IEnumerable<string> bytes = Pieces.Where(piece => piece.Kind == PieceKind.Byte).Select(piece => piece.Text).Order(StringComparer.Ordinal);
        RequireThat(bytes.SequenceEqual(HasByteFallback ? Enumerable.Range(0, 256).Select(value => $"<0x{value:X2}>") : []), "has not the 256 pieces of bytes, or has them without byte_fallback");
        return this;
    }

    private static void Refuse(bool isUnknown, string what) => RequireThat(!isUnknown, $"{what}, which this library does not know");

    private static void RequireThat(bool holds, string what)
    {
        if (!holds)
            throw new InvalidDataException($"it {what}.");
    }

    [GeneratedRegex(@"^[A-Za-z0-9+/]+={0,2} [0-9]+\r?\n")]
    private static partial Regex TiktokenLine();

    /// <summary>A piece.</summary>
    /// <param name="Text">Its characters, with U+2581 for spaces.</param>
    /// <param name="Score">Among byte pairs, those of the higher score are merged first; in a unigram model, its log probability.</param>
    /// <param name="Kind">What it stands for.</param>
    internal sealed record Piece(string Text, float Score, PieceKind Kind);
}
