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
            if (sparse < 0 && start < 0)
            {
                _fields[next++] = field;
                continue;
            }
            if (start < 0 && next > 0 && int.TryParse(_fields[next - 1].Span, out size))
                _fields[start = next - 1] = default;
            if (start < 0 || sparse <= previous || sparse >= size)
            {
                reportFormatError(from, at - 1, "Sparse item without size, out of order or larger than expected, or followed by another");
                return;
            }
            previous = sparse;
            if (start + sparse < count)
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
            while (at < text.Length && !options.Separators.Contains(text[at]))
                at++;
            field = text.AsMemory(start, at - start);
        }
        return at++ < text.Length;
    }

    private ReadOnlyMemory<char> Unquote(string text, ref int at, out bool isWrong)
    {
        _unquoted.Clear();
        isWrong = true;
        while (isWrong && ++at < text.Length)
        {
            bool doubled = text[at] == '"' && at + 1 < text.Length && text[at + 1] == '"';
            isWrong = text[at] != '"' || doubled;
            at += doubled ? 1 : 0;
            if (isWrong)
                _unquoted.Append(text[at]);
        }
        // Only spaces may stand between the closing quote and the next separator.
        for (at = Math.Min(at + 1, text.Length); at < text.Length && !options.Separators.Contains(text[at]); at++)
            isWrong |= text[at] != ' ';
        return isWrong ? default : _unquoted.ToString().AsMemory();
    }

    private void SkipSpaces(string text, ref int at)
    {
        while (!_spaceSeparates && at < text.Length && text[at] == ' ')
            at++;
    }
}
