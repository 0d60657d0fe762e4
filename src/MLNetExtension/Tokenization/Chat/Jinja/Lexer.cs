using System.Text.RegularExpressions;

namespace MLNetExtension.Tokenization.Chat.Jinja;

/// <summary>Splits a template into tokens, with white space treated as transformers sets it: <c>trim_blocks</c> and <c>lstrip_blocks</c>.</summary>
/// <remarks>A tag ends its line (the line break behind it is dropped), and white space between the beginning of a line and a tag is dropped; neither holds for <c>{{ }}</c>. A minus inside
/// of a tag drops all the white space on that side, a plus keeps what would be dropped. The last line break of the source is dropped.</remarks>
internal sealed partial class Lexer
{
    // The longest first.
    private static readonly string[] Operators =
        ["**", "//", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=", ".", ":", "|", ",", ";"];

    private readonly string _source;
    private readonly List<Token> _tokens = [];
    private int _at, _line = 1;
    private bool _lineStarts = true;

    private Lexer(string source) => _source = source;

    /// <summary>Splits a source.</summary>
    /// <returns>The tokens; the last is <see cref="TokenKind.End"/>.</returns>
    public static IReadOnlyList<Token> Split(string source)
    {
        string lines = source.Replace("\r\n", "\n").Replace('\r', '\n');
        var lexer = new Lexer(lines.EndsWith('\n') ? lines[..^1] : lines);
        lexer.ReadRoot();
        lexer.Add(TokenKind.End, "");
        return lexer._tokens;
    }

    private void ReadRoot()
    {
        while (_at < _source.Length)
        {
            int tag = FindTag();
            if (tag < 0)
            {
                AddData(_source[_at..]);
                return;
            }

            string text = _source[_at..tag];
            char kind = _source[tag + 1];
            int inside = tag + 2;
            char sign = inside < _source.Length && _source[inside] is '-' or '+' ? _source[inside++] : ' ';
            AddData(WithoutEnd(text, sign, isVariable: kind == '{'));
            MoveTo(inside);
            ReadTag(kind);
        }
    }

    private int FindTag()
    {
        for (int at = _at; (at = _source.IndexOf('{', at)) >= 0 && at + 1 < _source.Length; at++)
        {
            if (_source[at + 1] is '{' or '%' or '#')
                return at;
        }

        return -1;
    }

    // What the tag behind a text leaves of it.
    private string WithoutEnd(string text, char sign, bool isVariable)
    {
        if (sign == '-')
            return text.AsSpan().TrimEnd(PythonText.Spaces).ToString();
        int line = text.LastIndexOf('\n') + 1;
        bool isAtLineStart = line > 0 || _lineStarts;
        bool isBlank = line < text.Length && text.AsSpan(line).IndexOfAnyExcept(PythonText.SpaceValues) < 0;
        return sign == ' ' && !isVariable && isAtLineStart && isBlank ? text[..line] : text;
    }

    private void ReadTag(char kind)
    {
        switch (kind)
        {
            case '#':
                ReadComment();
                break;
            case '{':
                Add(TokenKind.VariableBegin, "{{");
                ReadCode(TokenKind.VariableEnd);
                break;
            default:
                Match raw = RawTag().Match(_source, _at);
                if (raw.Success)
                {
                    MoveTo(raw.Index + raw.Length);
                    ReadRaw();
                    break;
                }

                Add(TokenKind.BlockBegin, "{%");
                ReadCode(TokenKind.BlockEnd);
                break;
        }
    }

    private void ReadComment()
    {
        int end = _source.IndexOf("#}", _at, StringComparison.Ordinal);
        if (end < 0)
            throw Error("a comment does not end");
        char sign = end > _at && _source[end - 1] is '-' or '+' ? _source[end - 1] : ' ';
        MoveTo(AfterTag(end + 2, sign));
    }

    private void ReadRaw()
    {
        Match end = RawEnd().Match(_source, _at);
        if (!end.Success)
            throw Error("a raw block does not end");
        char sign = end.Groups[1].Length > 0 ? end.Groups[1].Value[0] : ' ';
        AddData(WithoutEnd(_source[_at..end.Index], sign, isVariable: false));
        char endSign = end.Groups[2].Length > 0 ? end.Groups[2].Value[0] : ' ';
        MoveTo(AfterTag(end.Index + end.Length, endSign));
    }

    // Where the text goes on behind a block's end.
    private int AfterTag(int at, char sign)
    {
        if (sign == '-')
            return _source.AsSpan(at).IndexOfAnyExcept(PythonText.SpaceValues) is var spaces and >= 0 ? at + spaces : _source.Length;
        return sign == ' ' && at < _source.Length && _source[at] == '\n' ? at + 1 : at;
    }

    private void ReadCode(TokenKind end)
    {
        string close = end == TokenKind.BlockEnd ? "%}" : "}}";
        var brackets = new Stack<char>();
        while (true)
        {
            if (brackets.Count == 0 && TryReadEnd(end, close))
                return;
            if (_at >= _source.Length)
                throw Error($"a tag does not end: expected '{close}'");
            int spaces = _source.AsSpan(_at).IndexOfAnyExcept(PythonText.SpaceValues);
            if (spaces != 0)
                MoveTo(spaces < 0 ? _source.Length : _at + spaces);
            else
                ReadToken(brackets);
        }
    }

    private bool TryReadEnd(TokenKind end, string close)
    {
        char sign = _at < _source.Length && (_source[_at] == '-' || (_source[_at] == '+' && end == TokenKind.BlockEnd)) ? _source[_at] : ' ';
        int at = sign == ' ' ? _at : _at + 1;
        if (string.CompareOrdinal(_source, at, close, 0, 2) != 0)
            return false;
        Add(end, close);
        // A line break behind a variable stays.
        MoveTo(end == TokenKind.VariableEnd && sign == ' ' ? at + 2 : AfterTag(at + 2, sign));
        return true;
    }

    private void ReadToken(Stack<char> brackets)
    {
        if (Number().Match(_source, _at) is { Success: true } number)
        {
            Add(number.Groups[2].Success || number.Groups[3].Success ? TokenKind.Float : TokenKind.Integer, number.Value.Replace("_", ""));
            MoveTo(_at + number.Length);
        }
        else if (Name().Match(_source, _at) is { Success: true } name)
        {
            Add(TokenKind.Name, name.Value);
            MoveTo(_at + name.Length);
        }
        else if (_source[_at] is '"' or '\'')
        {
            int end = StringLiteral.FindEnd(_source, _at);
            if (end < 0)
                throw Error("a string does not end");
            Add(TokenKind.String, StringLiteral.Read(_source.AsSpan(_at + 1, end - _at - 2)) ?? throw Error("a string has an escape that is not valid"));
            MoveTo(end);
        }
        else
        {
            string symbol = Array.Find(Operators, symbol => string.CompareOrdinal(_source, _at, symbol, 0, symbol.Length) == 0)
                ?? throw Error($"found '{Files.Excerpt.Of(_source[_at].ToString())}', which begins no expression");
            CheckBracket(symbol, brackets);
            Add(TokenKind.Operator, symbol);
            MoveTo(_at + symbol.Length);
        }
    }

    private void CheckBracket(string symbol, Stack<char> brackets)
    {
        switch (symbol)
        {
            case "{":
                brackets.Push('}');
                break;
            case "(":
                brackets.Push(')');
                break;
            case "[":
                brackets.Push(']');
                break;
            case "}" or ")" or "]":
                if (!brackets.TryPop(out char expected) || expected != symbol[0])
                    throw Error($"found '{symbol}', {(expected == 0 ? "which closes nothing" : $"expected '{expected}'")}");
                break;
        }
    }

    private void AddData(string text)
    {
        if (text.Length > 0)
            Add(TokenKind.Data, text);
    }

    private void Add(TokenKind kind, string text) => _tokens.Add(new Token(kind, text, _line));

    private void MoveTo(int at)
    {
        _line += _source.AsSpan(_at, at - _at).Count('\n');
        _lineStarts = at > 0 && _source[at - 1] == '\n';
        _at = at;
    }

    private JinjaException Error(string what) => new(what, line: _line);

    [GeneratedRegex(@"\G(?:0[bB](?:_?[01])+|0[oO](?:_?[0-7])+|0[xX](?:_?[0-9a-fA-F])+|[0-9]+(?:_[0-9]+)*(?:(\.[0-9]+(?:_[0-9]+)*)?([eE][+-]?[0-9]+(?:_[0-9]+)*)|(\.[0-9]+(?:_[0-9]+)*))?)", RegexOptions.CultureInvariant)]
    private static partial Regex Number();

    [GeneratedRegex(@"\G[\p{L}\p{Nl}_][\w]*", RegexOptions.CultureInvariant)]
    private static partial Regex Name();

    [GeneratedRegex(@"\G\s*raw\s*(?:-%\}\s*|%\})", RegexOptions.CultureInvariant)]
    private static partial Regex RawTag();

    [GeneratedRegex(@"\{%([-+]?)\s*endraw\s*([-+]?)%\}", RegexOptions.CultureInvariant)]
    private static partial Regex RawEnd();
}
