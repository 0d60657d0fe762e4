using System.Text;
using MLNetExtension.Files;
using MLNetExtension.Tokenization.HuggingFace;
using MLNetExtension.Tokenization.SentencePiece;

namespace MLNetExtension.Formats.Gguf;

/// <summary>A <c>tokenizer.json</c> of Llama 2's kind, byte pairs of characters with bytes for unknown ones, as the pieces with scores that it was made of.</summary>
/// <remarks>llama.cpp merges any two neighbours that are a piece together, those of the highest score first; the file merges the pairs of a list in its order. The two are the same where every such pair is in the list, and those that give
/// one piece are together in it. Both hold for lists that were made of scores.</remarks>
internal static class GgufPieceMerges
{
    private const string Space = "\u2581";

    /// <summary>Makes pieces of a definition.</summary>
    /// <exception cref="NotSupportedException">llama.cpp would split text otherwise; the message says why.</exception>
    /// <returns>The pieces in order of their ids, null where an id is no token; and whether a text gets a space in front.</returns>
    public static (IReadOnlyList<Piece?> Pieces, bool AddsSpace) Create(TokenizerDefinition definition)
    {
        if (definition.Model is not BytePairModel { HasByteFallback: true, IgnoresMerges: false } model)
            throw Unsupported("is no model of byte pairs with 'byte_fallback'");
        if (!definition.Steps.All(step => step is PatternStep { Pattern: LiteralPattern { Text: " " } }))
            throw Unsupported("splits text into words");
        if (definition.AddedTokens.FirstOrDefault(token => !token.IsSpecial && (token.IsNormalized || token.StripsLeft || token.StripsRight || token.IsSingleWord)) is { } added)
            throw Unsupported($"has the added token '{Excerpt.Of(added.Content)}', which is looked for in normalized text, takes white space or is no part of a word");
        bool addsSpace = FindSpace(definition.Normalizer);
        Piece?[] pieces = CreatePieces(definition, model, RankPieces(model));
        RequireMerges(model, pieces);
        return (pieces, addsSpace);
    }

    // Text is as it was, but for its spaces, and one in front of it.
    private static bool FindSpace(TextNormalizer normalizer)
    {
        string[] probes = ["x  y", " x ", "A e\u0301\uFB01\u0130\n\t"];
        string[] normalized = [.. probes.Select(probe => normalizer.Normalize(probe))], escaped = [.. probes.Select(probe => probe.Replace(" ", Space))];
        return normalized.SequenceEqual(escaped.Select(text => Space + text))
            || (normalized.SequenceEqual(escaped) ? false : throw Unsupported("changes more of a text than its spaces, or puts one in front of some texts alone"));
    }

    // The place of each piece in the order of merges.
    private static Dictionary<string, int> RankPieces(BytePairModel model)
    {
        Dictionary<string, int> ranks = [];
        string last = "";
        int rank = 0;
        foreach ((string left, string right) in model.Merges)
        {
            string piece = left + right;
            if (piece != last && !ranks.TryAdd(piece, rank++))
                throw Unsupported($"merges the pairs that give '{Excerpt.Of(piece)}' at different places");
            last = piece;
        }
        return ranks;
    }

    private static void RequireMerges(BytePairModel model, IEnumerable<Piece?> pieces)
    {
        HashSet<(string, string)> pairs = [.. model.Merges];
        foreach (string piece in pieces.Where(piece => piece is { Kind: PieceKind.Normal }).Select(piece => piece!.Text))
        {
            for (int at = 1; at < piece.Length; at++)
            {
                (string left, string right) = (piece[..at], piece[at..]);
                if (!char.IsLowSurrogate(piece[at]) && IsSymbol(left) && IsSymbol(right) && !pairs.Contains((left, right)))
                    throw Unsupported($"does not merge '{Excerpt.Of(left)}' and '{Excerpt.Of(right)}', whose pair is a token");
            }
        }

        bool IsSymbol(string text) => model.Vocabulary.ContainsKey(text) || (Rune.TryGetRuneAt(text, 0, out Rune first) && first.Utf16SequenceLength == text.Length);
    }

    private static Piece?[] CreatePieces(TokenizerDefinition definition, BytePairModel model, Dictionary<string, int> ranks)
    {
        Dictionary<string, AddedToken> added = definition.AddedTokens.ToDictionary(token => token.Content);
        HashSet<string> bytes = [.. Enumerable.Range(0, 256).Select(TokenModel.ByteToken)];
        var tokens = model.Vocabulary.Select(entry => (Text: entry.Key, Id: entry.Value)).Concat(definition.AddedTokens.Select(token => (Text: token.Content, token.Id))).Distinct();
        Piece?[] pieces = new Piece?[tokens.Max(token => token.Id) + 1];
        foreach ((string text, int id) in tokens)
            pieces[id] = new Piece(text, -ranks.GetValueOrDefault(text), KindOf(text));
        return pieces;

        PieceKind KindOf(string text) =>
            text == model.UnknownToken ? PieceKind.Unknown
            : added.TryGetValue(text, out AddedToken? token) ? token.IsSpecial ? PieceKind.Control : PieceKind.UserDefined
            : bytes.Contains(text) ? PieceKind.Byte
            : PieceKind.Normal;
    }

    private static NotSupportedException Unsupported(string what) => new($"The {TokenizerJsonReader.FileName} {what}: it has no form in GGUF files.");
}
