using System.Text;

namespace Microsoft.ML.Data;

/// <summary>The fields of one line after another, by index; a field that is empty or wrongly quoted is not there.</summary>
internal sealed class TextFields(TextLoader.Options options, int count, Action<int, int, string> reportFormatError)
{
    private readonly ReadOnlyMemory<char>[] _fields = new ReadOnlyMemory<char>[count + 1];
    private readonly bool _spaceSeparates = options.Separators.Contains(' ');
    private readonly StringBuilder _unquoted = new();

    public ReadOnlyMemory<char> this[int index] => _fields[index];

    public void Split(string line)
    {
        Array.Clear(_fields);
        string text = options.TrimWhitespace ? line.TrimEnd() : line;
        int at = 0, next = 0, previous = -1, start = -1, size = 0;
        // A sparse line needs one field more, because the last may turn out to be the length of the tail.
        int needed = options.AllowSparse ? _fields.Length : count;
        bool more = true;
        while (more && (start >= 0 || next < needed))
        {
            more = Take(text, ref at, out int from, out int sparse, out ReadOnlyMemory<char> field);
            if (sparse < 0)
            {
                if (start >= 0)
                {
                    reportFormatError(from, at - 1, "Non-sparse formatted value follows sparse formatted value");
                    return;
                }
                _fields[next++] = field;
                continue;
            }
            if (start < 0)
            {
                start = next - 1;
                if (start < 0 || !int.TryParse(_fields[start].Span, out size) || size <= 0)
                {
                    reportFormatError(from, at - 1, (start < 0 || _fields[start].IsEmpty ? "Missing" : "Bad") +
                        " dimensionality or ambiguous sparse item. Use sparse=- for non-sparse file, and/or quote the value.");
                    return;
                }
                _fields[start] = default;
            }
            if (sparse >= size || sparse <= previous)
            {
                reportFormatError(from, at - 1, sparse >= size
                    ? "Sparse item index larger than expected. Is the specified size incorrect?" : "Sparse indices out of order");
                return;
            }
            previous = sparse;
            if (start + sparse >= count)
                return;
            _fields[start + sparse] = field;
        }
    }

    /// <summary>Takes the field at <paramref name="at"/> and goes past its separator, if there is one.</summary>
    private bool Take(string text, ref int at, out int from, out int sparse, out ReadOnlyMemory<char> field)
    {
        SkipSpaces(text, ref at);
        from = at;
        sparse = -1;
        int colon = at;
        while (options.AllowSparse && colon < text.Length && colon < at + 9 && char.IsAsciiDigit(text[colon]))
            colon++;
        if (colon > at && colon < text.Length && text[colon] == ':')
        {
            sparse = int.Parse(text.AsSpan(at, colon - at));
            at = colon + 1;
            SkipSpaces(text, ref at);
        }
        if (options.AllowQuoting && at < text.Length && text[at] == '"')
        {
            field = Unquote(text, ref at, out bool isWrong);
            if (isWrong)
                reportFormatError(from, at, "Illegal quoting");
        }
        else
        {
            int start = at;
            while (at < text.Length && !IsSeparator(text[at]))
                at++;
            field = text.AsMemory(start, at - start);
        }
        return at++ < text.Length;
    }

    private ReadOnlyMemory<char> Unquote(string text, ref int at, out bool isWrong)
    {
        _unquoted.Clear();
        isWrong = true;
        while (++at < text.Length)
        {
            bool nextIsQuote = at + 1 < text.Length && text[at + 1] == '"';
            if (text[at] == options.EscapeChar && (nextIsQuote || text[at] != '"'))
            {
                if (!nextIsQuote)
                    _unquoted.Append(text[at]);
                if (++at >= text.Length)
                    break;
            }
            else if (text[at] == '"')
            {
                isWrong = false;
                at++;
                break;
            }
            _unquoted.Append(text[at]);
        }
        // Only spaces may stand between the closing quote and the next separator.
        for (; at < text.Length && !IsSeparator(text[at]); at++)
            isWrong |= text[at] != ' ';
        return isWrong ? default : _unquoted.ToString().AsMemory();
    }

    private void SkipSpaces(string text, ref int at)
    {
        while (!_spaceSeparates && at < text.Length && text[at] == ' ')
            at++;
    }

    private bool IsSeparator(char character) => options.Separators.Contains(character);
}
