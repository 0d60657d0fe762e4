using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using MLNetExtension.Files;

namespace MLNetExtension.Tokenization.HuggingFace;

/// <summary>
/// Translates a split pattern of <c>tokenizer.json</c>, which is written for Oniguruma, to a .NET regular expression. A construct that may mean
/// something else in .NET is refused.
/// </summary>
/// <remarks>A table of the published patterns would read fewer files: models combine their own.</remarks>
internal sealed class PatternTranslator(string pattern)
{
    private const string Known =
        @"literals, \r \n \t \s \S, \p{...} and \P{...} with a general category, [...] and [^...], "
        + "groups, (?:...), (?i:...), (?=...), (?!...), |, ?, *, +, {m,n}";
    private const int MaximumDepth = 100;
    private const string Letters = "a letter that folds to none outside ASCII but s";

    private readonly StringBuilder _expression = new();
    private readonly Stack<bool> _ignoresCase = new();
    private readonly List<(char First, char Last)> _named = [];
    private int _at;

    /// <summary>The ranges of characters outside ASCII that the pattern names.</summary>
    public IReadOnlyList<(char First, char Last)> Named => _named;

    /// <summary>Translates the pattern.</summary>
    /// <exception cref="FormatException">The pattern has something that .NET would read in another way; the message says what and where.</exception>
    public string Translate()
    {
        _ignoresCase.Push(false);
        while (_at < pattern.Length)
        {
            char c = pattern[_at];
            switch (c)
            {
                case '[': ReadClass(); break;
                case '(': OpenGroup(); break;
                case ')': CloseGroup(); break;
                case '\\': ReadEscape(); break;
                case '?' or '*' or '+' or '{': ReadQuantifier(); break;
                case '^' or '$' or '.' or ']' or '}': throw CreateError(c.ToString());
                case '|': _expression.Append(c); _at++; break;
                default: ReadLiteral(c); break;
            }
        }

        return _expression.ToString();
    }

    private void ReadLiteral(char c)
    {
        Name(c, c);
        _at++;
        if (!_ignoresCase.Peek() || !char.IsAsciiLetter(c))
            _expression.Append(c is ' ' or '#' ? $"\\{c}" : c.ToString());
        else if (c is 's' or 'S')
            _expression.Append(@"[sS\u017F]"); // the long s folds to s, and .NET leaves it out
        else if (c is not ('i' or 'I' or 'k' or 'K'))
            _expression.Append(CultureInfo.InvariantCulture, $"[{char.ToLowerInvariant(c)}{char.ToUpperInvariant(c)}]");
        else
            throw CreateError($"{c} in (?i:...), where only {Letters} is");
    }

    private void OpenGroup()
    {
        string[] openings = ["(?i:", "(?:", "(?=", "(?!"];
        string opening = openings.FirstOrDefault(known => pattern.AsSpan(_at).StartsWith(known, StringComparison.Ordinal)) ?? "(";
        _at += opening.Length;
        if (opening == "(" && _at < pattern.Length && pattern[_at] == '?')
            throw CreateError(pattern[(_at - 1)..Math.Min(_at + 2, pattern.Length)]);

        // Case is written out letter by letter, so the group needs no option.
        if (_ignoresCase.Count > MaximumDepth)
            throw CreateError($"groups nested more than {MaximumDepth} deep");

        bool ignoresCase = opening == "(?i:";
        _ignoresCase.Push(ignoresCase || _ignoresCase.Peek());
        _expression.Append(ignoresCase || opening == "(" ? "(?:" : opening);
    }

    private void CloseGroup()
    {
        if (_ignoresCase.Count == 1)
            throw CreateError(") that closes nothing");

        _ignoresCase.Pop();
        _expression.Append(')');
        _at++;
    }

    private void ReadClass()
    {
        int start = _at++;
        _expression.Append('[');
        if (_at < pattern.Length && pattern[_at] == '^')
            _expression.Append(pattern[_at++]);

        while (_at < pattern.Length && pattern[_at] != ']')
        {
            char? first = ReadClassMember(start);
            bool isRange = _at + 1 < pattern.Length && pattern[_at] == '-' && pattern[_at + 1] != ']';
            if (!isRange)
                continue;

            _at++;
            _expression.Append('-');
            if (first is not { } low || low == '-' || ReadClassMember(start) is not { } high || low > high)
                throw CreateError($"a range in the class at {start} that is not of two characters in order");

            Name(low, high);
        }

        if (_at == pattern.Length)
            throw CreateError("[ without ]");

        _expression.Append(']');
        _at++;
    }

    // A character that stands for itself, or null for a class such as \s.
    private char? ReadClassMember(int start)
    {
        char c = pattern[_at];
        if (c == '\\')
        {
            int at = _at;
            ReadEscape();
            return pattern[at + 1] switch
            {
                'p' or 'P' or 's' or 'S' => null,
                'r' => '\r',
                'n' => '\n',
                't' => '\t',
                var escaped => escaped,
            };
        }

        // Oniguruma nests and intersects classes; .NET subtracts them. Case in a class is folded by neither in the same way.
        char next = _at + 1 < pattern.Length ? pattern[_at + 1] : '\0';
        bool isEdge = next is ']' or '\0' || _at == start + 1 || pattern[_at - 1] == '^';
        if ((c == '&' && next == '&') || c == '[' || (c == '-' && !isEdge) || (_ignoresCase.Peek() && char.IsAsciiLetter(c)))
            throw CreateError($"{c} in the class at {start}");

        Name(c, c);
        _expression.Append(c is '-' or '^' ? $"\\{c}" : c.ToString());
        _at++;
        return c;
    }

    // A character outside ASCII means itself where case counts.
    private void Name(char first, char last)
    {
        if (char.IsAscii(last))
            return;
        if (_ignoresCase.Peek() || char.IsSurrogate(first) || char.IsSurrogate(last) || (first <= '\uD800' && last >= '\uDFFF'))
            throw CreateError(first == last ? first.ToString() : $"{first}-{last}");

        _named.Add((first, last));
    }

    private void ReadEscape()
    {
        char c = _at + 1 < pattern.Length ? pattern[_at + 1] : '\0';
        int length = 2;
        if (c is 'p' or 'P')
        {
            int end = pattern.IndexOf('}', _at);
            string category = end > _at + 2 && pattern[_at + 2] == '{' ? pattern[(_at + 3)..end] : "";
            if (!Regex.IsMatch(category, "^(L[ultmo]?|M[nce]?|N[dlo]?|P[cdseifo]?|S[mcko]?|Z[slp]?|C[cfon]?)$"))
                throw CreateError($"\\{c}{{{category}}}");

            length = end + 1 - _at;
        }
        else if (c is not ('r' or 'n' or 't' or 's' or 'S') && !(char.IsAscii(c) && (char.IsPunctuation(c) || char.IsSymbol(c))))
        {
            throw CreateError($"\\{c}");
        }

        // .NET takes an escaped _ for the beginning of a name.
        _expression.Append(pattern, c == '_' ? _at + 1 : _at, c == '_' ? 1 : length);
        _at += length;
    }

    private void ReadQuantifier()
    {
        Match quantifier = new Regex(@"\G(?:[?*+]|\{[0-9]+(?:,[0-9]*)?\})\??").Match(pattern, _at);
        int end = _at + quantifier.Length;
        if (!quantifier.Success || (end < pattern.Length && pattern[end] == '+'))
            throw CreateError(quantifier.Success ? $"the possessive {quantifier.Value}+" : "{");

        _expression.Append(quantifier.Value);
        _at = end;
    }

    private FormatException CreateError(string what) =>
        new($"the pattern {Excerpt.Of(pattern, 200)} has {Excerpt.Of(what)} at {_at}, which may mean something else in .NET; known are {Known}");
}
