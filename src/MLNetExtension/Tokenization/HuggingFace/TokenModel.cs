using MLNetExtension.Tokenization.SentencePiece;

namespace MLNetExtension.Tokenization.HuggingFace;

/// <summary>What makes tokens of words.</summary>
internal abstract record TokenModel
{
    /// <summary>The ids of the tokens by their text.</summary>
    public required IReadOnlyDictionary<string, int> Vocabulary { get; init; }

    /// <summary>Whether a character that is no token becomes the tokens of its bytes, <c>&lt;0x00&gt;</c> to <c>&lt;0xFF&gt;</c>.</summary>
    public bool HasByteFallback { get; init; }

    /// <summary>The text of the token that stands for a byte.</summary>
    public static string ByteToken(int value) => $"<0x{value:X2}>";
}

/// <summary>Pairs of neighbours are merged, those that come first in a list first.</summary>
internal sealed record BytePairModel : TokenModel
{
    /// <summary>The pairs that are merged; those that come first are merged first.</summary>
    public required IReadOnlyList<(string Left, string Right)> Merges { get; init; }

    /// <summary>Whether a word that is a token becomes that token, whatever the merges would give.</summary>
    public bool IgnoresMerges { get; init; }

    /// <summary>The token of characters that are no token; null where these give none.</summary>
    public string? UnknownToken { get; init; }

    /// <summary>Whether unknown characters in a row are one token.</summary>
    public bool FusesUnknown { get; init; }

    /// <summary>Whether each word in front of a space is a word of its own, if no token goes past a space.</summary>
    /// <remarks>It is not where a whole word may be a token, nor where the characters on both sides of an unknown one can be merged.</remarks>
    public bool HasWords => !IgnoresMerges && (HasByteFallback || UnknownToken is not null);
}

/// <summary>A word becomes the pieces whose log probabilities have the greatest sum.</summary>
internal sealed record UnigramModel : TokenModel
{
    /// <summary>The log probabilities of the tokens, in order of their ids.</summary>
    public required IReadOnlyList<double> Scores { get; init; }

    /// <summary>The id of characters that are no token; those in a row are one token.</summary>
    public required int UnknownId { get; init; }

    /// <summary>The pieces in order of their ids.</summary>
    /// <param name="notInText">Ids that a text cannot have.</param>
    public IReadOnlyList<Piece> Pieces(IReadOnlySet<int> notInText) => [.. Vocabulary.OrderBy(entry => entry.Value).Select(entry =>
    {
        PieceKind kind = entry.Value == UnknownId ? PieceKind.Unknown : notInText.Contains(entry.Value) ? PieceKind.Control : PieceKind.Normal;
        return new Piece(entry.Key, Scores[entry.Value], kind);
    })];
}
