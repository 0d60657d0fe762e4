using System.Buffers;
using System.Text.RegularExpressions;

namespace MLNetExtension.Tokenization.HuggingFace;

/// <summary>Where a text can be split before it is encoded, so that its tokens are the same: in front of a space behind a character that no token has in front of one.</summary>
internal sealed partial class TokenSpaces
{
    private const string Known = " \u2581";

    private readonly SearchValues<char> _spaces;
    private readonly HashSet<char> _inside = [];

    private TokenSpaces(string spaces) => _spaces = SearchValues.Create(spaces);

    /// <summary>No place.</summary>
    public static TokenSpaces None { get; } = new("");

    /// <summary>Finds the places for tokens that are merged from characters.</summary>
    /// <param name="model">The model.</param>
    public static TokenSpaces Of(BytePairModel model) => model.HasWords ? Of(model.Vocabulary, model.UnknownToken) : None;

    /// <summary>Finds the places for pieces of characters.</summary>
    /// <param name="model">The model.</param>
    public static TokenSpaces Of(UnigramModel model) => Of(model.Vocabulary, null);

    /// <summary>Whether a text can be split between two characters.</summary>
    public bool IsBetween(char left, char right) => _spaces.Contains(right) && !Known.Contains(left) && !_inside.Contains(left);

    /// <summary>The length of the first part of a text.</summary>
    /// <param name="text">The text, not empty.</param>
    public int FindWord(ReadOnlySpan<char> text)
    {
        for (int at = 1; at < text.Length; at++)
        {
            int distance = text[at..].IndexOfAny(_spaces);
            if (distance < 0)
                return text.Length;

            at += distance;
            if (IsBetween(text[at - 1], text[at]))
                return at;
        }

        return text.Length;
    }

    // A space that is no token by itself is unknown, and may be one with what is in front of it.
    private static TokenSpaces Of(IReadOnlyDictionary<string, int> tokens, string? unknown)
    {
        var spaces = new TokenSpaces(string.Concat(Known.Where(space => tokens.ContainsKey(space.ToString()))));
        foreach (string token in tokens.Keys)
        {
            for (int i = 1; i < token.Length; i++)
            {
                if (!Known.Contains(token[i]) || Known.Contains(token[i - 1]))
                    continue;

                // The characters that such a token stands for are others than those of its name.
                if (ByteToken().IsMatch(token.AsSpan(0, i)) || (unknown is not null && token.AsSpan(0, i).EndsWith(unknown, StringComparison.Ordinal)))
                    return None;

                spaces._inside.Add(token[i - 1]);
            }
        }

        return spaces;
    }

    [GeneratedRegex("<0x[0-9A-F]{2}>$")]
    private static partial Regex ByteToken();
}
