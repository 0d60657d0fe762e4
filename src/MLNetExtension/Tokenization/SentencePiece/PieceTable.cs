namespace MLNetExtension.Tokenization.SentencePiece;

/// <summary>The pieces that text can contain, by their characters.</summary>
internal sealed class PieceTable
{
    private readonly IReadOnlyList<Piece> _pieces;
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _ids;
    private readonly TextTrie _trie = new();
    private readonly TextTrie? _userDefined;

    public PieceTable(IReadOnlyList<Piece> pieces)
    {
        _pieces = pieces;
        var ids = new Dictionary<string, int>(StringComparer.Ordinal);
        for (int id = 0; id < pieces.Count; id++)
        {
            (string text, PieceKind kind) = (pieces[id].Text, pieces[id].Kind);
            if (kind is not (PieceKind.Normal or PieceKind.UserDefined))
                continue;

            ids.Add(text, id);
            _trie.Add(text, id);
            if (kind == PieceKind.UserDefined)
                (_userDefined ??= new TextTrie()).Add(text, id);
        }

        _ids = ids.GetAlternateLookup<ReadOnlySpan<char>>();
        IEnumerable<double> scores = pieces.Where(piece => piece.Kind == PieceKind.Normal).Select(piece => piece.Score);
        LowestScore = scores.DefaultIfEmpty().Min();
        LongestPiece = ids.Keys.Select(text => text.Length).DefaultIfEmpty().Max();
        SpacesBeginPieces = !ids.Keys.Any(text => FindWord(text) > 0);
    }

    /// <summary>The lowest score of a normal piece.</summary>
    public double LowestScore { get; }

    /// <summary>The chars of the longest piece.</summary>
    public int LongestPiece { get; }

    /// <summary>Whether no piece has a space behind another character, so that each word of a text is split by itself.</summary>
    public bool SpacesBeginPieces { get; }

    /// <summary>The pieces by their first characters.</summary>
    public TextTrie Trie => _trie;

    /// <summary>Finds the id of a piece.</summary>
    public bool TryGetId(ReadOnlySpan<char> text, out int id) => _ids.TryGetValue(text, out id);

    /// <summary>The piece of an id.</summary>
    public Piece this[int id] => _pieces[id];

    /// <summary>The chars of the longest user-defined piece that a text begins with; 0 where there is none.</summary>
    public int MatchUserDefined(ReadOnlySpan<char> text)
    {
        int length = 0;
        _userDefined?.MatchLongest(text, out length);
        return length;
    }

    /// <summary>Where the last word of a text begins, a space that has another character in front of it; 0 where there is none.</summary>
    public static int FindWord(ReadOnlySpan<char> text)
    {
        const char Space = SentencePieceLanguageTokenizer.Space;
        for (int i = text.Length - 1; i > 0; i--)
        {
            if (text[i] == Space && text[i - 1] != Space)
                return i;
        }

        return 0;
    }
}
