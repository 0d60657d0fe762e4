namespace MLNetExtension.Tokenization.SentencePiece;

/// <summary>The pieces that text can contain, by their characters.</summary>
internal sealed class PieceTable
{
    private readonly IReadOnlyList<Piece> _pieces;
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _ids;
    private readonly string[] _userDefined;

    public PieceTable(IReadOnlyList<Piece> pieces)
    {
        _pieces = pieces;
        var ids = new Dictionary<string, int>(StringComparer.Ordinal);
        for (int id = 0; id < pieces.Count; id++)
        {
            if (pieces[id].Kind is PieceKind.Normal or PieceKind.UserDefined)
                ids.Add(pieces[id].Text, id);
        }

        _ids = ids.GetAlternateLookup<ReadOnlySpan<char>>();
        _userDefined = [.. pieces.Where(piece => piece.Kind == PieceKind.UserDefined).Select(piece => piece.Text).OrderByDescending(text => text.Length)];
        IEnumerable<float> scores = pieces.Where(piece => piece.Kind == PieceKind.Normal).Select(piece => piece.Score);
        LowestScore = scores.DefaultIfEmpty().Min();
        LongestPiece = ids.Keys.Select(text => text.Length).DefaultIfEmpty().Max();
    }

    /// <summary>The lowest score of a normal piece.</summary>
    public float LowestScore { get; }

    /// <summary>The chars of the longest piece.</summary>
    public int LongestPiece { get; }

    /// <summary>Finds the id of a piece.</summary>
    public bool TryGetId(ReadOnlySpan<char> text, out int id) => _ids.TryGetValue(text, out id);

    /// <summary>The piece of an id.</summary>
    public Piece this[int id] => _pieces[id];

    /// <summary>The chars of the longest user-defined piece that a text begins with; 0 where there is none.</summary>
    public int MatchUserDefined(ReadOnlySpan<char> text)
    {
        foreach (string piece in _userDefined)
        {
            if (text.StartsWith(piece, StringComparison.Ordinal))
                return piece.Length;
        }

        return 0;
    }
}
