using MLNetExtension.Tokenization.Bytes;

namespace MLNetExtension.Tokenization.SentencePiece;

/// <summary>Gives pieces their ids.</summary>
/// <param name="pieces">The pieces that text can contain.</param>
/// <param name="unknownId">The id of characters that are no piece; those in a row are one token.</param>
/// <param name="byteIds">The ids of the bytes of which such a character is written instead; null for none.</param>
internal sealed class PieceEncoder(PieceTable pieces, int unknownId, int[]? byteIds)
{
    /// <summary>Gives the tokens of a text.</summary>
    /// <param name="text">The text.</param>
    /// <param name="ends">Where each of its pieces ends.</param>
    public List<PlacedToken> Encode(string text, List<int> ends)
    {
        var tokens = new List<PlacedToken>();
        Span<byte> bytes = stackalloc byte[4];
        int start = 0;
        foreach (int end in ends)
        {
            ReadOnlySpan<char> piece = text.AsSpan(start, end - start);
            if (pieces.TryGetId(piece, out int id))
            {
                tokens.Add(new(id, start, end));
            }
            else if (byteIds is not null)
            {
                foreach (byte value in bytes[..Wtf8.Encode(piece, bytes, out _)])
                    tokens.Add(new(byteIds[value], start, end));
            }
            else if (tokens.Count > 0 && tokens[^1].Id == unknownId)
            {
                tokens[^1] = tokens[^1] with { End = end };
            }
            else
            {
                tokens.Add(new(unknownId, start, end));
            }

            start = end;
        }

        return tokens;
    }

    /// <summary>Gives the tokens of the beginning of a text that stay as they are whatever follows: unknown characters at its end may be one token with those that do.</summary>
    public List<PlacedToken> EncodeCertain(string start, List<int> ends)
    {
        List<PlacedToken> tokens = Encode(start, ends);
        while (tokens.Count > 0 && tokens[^1].Id == unknownId)
            tokens.RemoveAt(tokens.Count - 1);

        return tokens;
    }
}
