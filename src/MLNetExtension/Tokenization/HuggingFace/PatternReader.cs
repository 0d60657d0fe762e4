using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace MLNetExtension.Tokenization.HuggingFace;

/// <summary>
/// Makes a .NET expression of a pattern of <c>tokenizer.json</c>, which is written for Oniguruma. Only what means the same in both is let through,
/// so that a pattern is split exactly or refused.
/// </summary>
internal sealed class PatternReader(string pattern)
{
    private const string Known =
        @"ASCII literals, \r \n \t \s \S, \p{...} and \P{...} with a general category, [...] and [^...], "
        + "groups, (?:...), (?i:...), (?=...), (?!...), |, ?, *, +, {m,n}";
    private const string Letters = "a letter that folds to none outside ASCII but s";

    private readonly StringBuilder _expression = new();
    private readonly Stack<bool> _ignoresCase = new();
    private int _at;

    /// <exception cref="FormatException">The pattern has something that .NET would read in another way; the message says what and where.</exception>
    public static Regex Read(string pattern)
    {
        string expression = new PatternReader(pattern).Translate();
        try
        {
            return new Regex(expression, RegexOptions.CultureInvariant | RegexOptions.Compiled);
        }
        catch (ArgumentException error)
        {
            throw new FormatException($"the pattern {pattern} is malformed: {error.Message}", error);
        }
    }

    private string Translate()
    {
        _ignoresCase.Push(false);
        while (_at < pattern.Length)
        {
            char c = pattern[_at];
            switch (c)
            {
                case '[': Class(); break;
                case '(': Open(); break;
                case ')': Close(); break;
                case '\\': Escape(); break;
                case '?' or '*' or '+' or '{': Quantifier(); break;
                case '^' or '$' or '.' or ']' or '}': throw Refuse(c.ToString());
                case '|': _expression.Append(c); _at++; break;
                default: Literal(c); break;
            }
        }

        return _expression.ToString();
    }

    private void Literal(char c)
    {
        if (!char.IsAscii(c))
            throw Refuse(c.ToString());

        _at++;
        if (!_ignoresCase.Peek() || !char.IsAsciiLetter(c))
            _expression.Append(c is ' ' or '#' ? $"\\{c}" : c.ToString());
        else if (c is 's' or 'S')
            _expression.Append(@"[sS\u017F]"); // the long s folds to s, and .NET leaves it out
        else if (c is not ('i' or 'I' or 'k' or 'K'))
            _expression.Append(CultureInfo.InvariantCulture, $"[{char.ToLowerInvariant(c)}{char.ToUpperInvariant(c)}]");
        else
            throw Refuse($"{c} in (?i:...), where only {Letters} is");
    }

    private void Open()
    {
        string[] openings = ["(?i:", "(?:", "(?=", "(?!"];
        string opening = openings.FirstOrDefault(known => pattern.AsSpan(_at).StartsWith(known, StringComparison.Ordinal)) ?? "(";
        _at += opening.Length;
        if (opening == "(" && _at < pattern.Length && pattern[_at] == '?')
            throw Refuse(pattern[(_at - 1)..Math.Min(_at + 2, pattern.Length)]);

        // Case is written out letter by letter, so the group needs no option.
        bool ignoresCase = opening == "(?i:";
        _ignoresCase.Push(ignoresCase || _ignoresCase.Peek());
        _expression.Append(ignoresCase || opening == "(" ? "(?:" : opening);
    }

    private void Close()
    {
        if (_ignoresCase.Count == 1)
            throw Refuse(") that closes nothing");

        _ignoresCase.Pop();
        _expression.Append(')');
        _at++;
    }

    private void Class()
    {
        int start = _at++;
        _expression.Append('[');
        if (_at < pattern.Length && pattern[_at] == '^')
            _expression.Append(pattern[_at++]);

        while (_at < pattern.Length && pattern[_at] != ']')
        {
            char c = pattern[_at];
            if (c == '\\')
            {
                Escape();
                continue;
            }

            // Oniguruma nests and intersects classes; .NET subtracts them. Case in a class is folded by neither in the same way.
            if (!char.IsAscii(c) || c is '[' or '&' or '-' or '^' || (_ignoresCase.Peek() && char.IsAsciiLetter(c)))
                throw Refuse($"{c} in the class at {start}");

            _expression.Append(c);
            _at++;
        }

        if (_at == pattern.Length)
            throw Refuse("[ without ]");

        _expression.Append(']');
        _at++;
    }

    private void Escape()
    {
        char c = _at + 1 < pattern.Length ? pattern[_at + 1] : '\0';
        int length = 2;
        if (c is 'p' or 'P')
        {
            int end = pattern.IndexOf('}', _at);
            string category = end > _at + 2 && pattern[_at + 2] == '{' ? pattern[(_at + 3)..end] : "";
            if (!Regex.IsMatch(category, "^(L[ultmo]?|M[nce]?|N[dlo]?|P[cdseifo]?|S[mcko]?|Z[slp]?|C[cfon]?)$"))
                throw Refuse($"\\{c}{{{category}}}");

            length = end + 1 - _at;
        }
        else if (c is not ('r' or 'n' or 't' or 's' or 'S') && !(char.IsAscii(c) && (char.IsPunctuation(c) || char.IsSymbol(c))))
        {
            throw Refuse($"\\{c}");
        }

        _expression.Append(pattern, _at, length);
        _at += length;
    }

    private void Quantifier()
    {
        Match quantifier = new Regex(@"\G(?:[?*+]|\{[0-9]+(?:,[0-9]*)?\})\??").Match(pattern, _at);
        int end = _at + quantifier.Length;
        if (!quantifier.Success || (end < pattern.Length && pattern[end] == '+'))
            throw Refuse(quantifier.Success ? $"the possessive {quantifier.Value}+" : "{");

        _expression.Append(quantifier.Value);
        _at = end;
    }

    private FormatException Refuse(string what) =>
        new($"the pattern {pattern} has {what} at {_at}, which may mean something else in .NET; known are {Known}");
}
