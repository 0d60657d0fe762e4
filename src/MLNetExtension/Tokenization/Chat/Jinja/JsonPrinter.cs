using System.Globalization;
using System.Numerics;
using System.Text;

namespace MLNetExtension.Tokenization.Chat.Jinja;

/// <summary>Writes values as JSON, as Python's <c>json.dumps</c> does under transformers' <c>tojson</c>: without escapes for HTML.</summary>
internal sealed class JsonPrinter
{
    private readonly RenderBudget _budget;
    private readonly TracedTextBuilder _builder;
    private readonly bool _isAscii, _sortsKeys;
    private readonly TracedText? _indent;
    private readonly TracedText _itemSeparator, _keySeparator;

    private JsonPrinter(Arguments.Bound arguments, RenderBudget budget)
    {
        _budget = budget;
        _builder = new TracedTextBuilder(budget);
        _isAscii = arguments.Flag("ensure_ascii");
        _sortsKeys = arguments.Flag("sort_keys");
        _indent = arguments.Get("indent") switch
        {
            null => null,
            TracedText text => text,
            _ => PythonText.Repeat(TracedText.Of(" "), arguments.Integer("indent", 0), budget),
        };
        (_itemSeparator, _keySeparator) = arguments.Get("separators") switch
        {
            null => (TracedText.Of(_indent is null ? ", " : ","), TracedText.Of(": ")),
            PythonSequence { Count: 2 } pair when pair[0] is TracedText item && pair[1] is TracedText key => (item, key),
            _ => throw new JinjaException("the argument 'separators' of 'tojson' must be two strings"),
        };
    }

    /// <summary>Writes a value.</summary>
    /// <param name="value">The value.</param>
    /// <param name="arguments">Those of the filter: <c>ensure_ascii</c>, <c>indent</c>, <c>separators</c>, <c>sort_keys</c>.</param>
    /// <param name="budget">Pays for it.</param>
    public static TracedText Write(object? value, Arguments arguments, RenderBudget budget)
    {
        var printer = new JsonPrinter(arguments.Bind("tojson", "ensure_ascii", "indent", "separators", "sort_keys"), budget);
        printer.Append(value, 0);
        return printer._builder.ToText();
    }

    private void Append(object? value, int level)
    {
        _budget.Enter();
        switch (value)
        {
            case TracedText text:
                AppendString(text);
                break;
            case PythonDictionary dictionary:
                AppendAll('{', dictionary.Pairs.Count, '}', level, Ordered(dictionary), pair =>
                {
                    AppendString(Key(pair.Key));
                    _builder.Append(_keySeparator);
                    Append(pair.Value, level + 1);
                });
                break;
            case PythonSequence { Kind: SequenceKind.List or SequenceKind.Tuple } sequence:
                AppendAll('[', sequence.Count, ']', level, sequence, item => Append(item, level + 1));
                break;
            default:
                _builder.Append(Scalar(value));
                break;
        }

        _budget.Leave();
    }

    private void AppendAll<T>(char begin, int count, char end, int level, IEnumerable<T> items, Action<T> append)
    {
        _builder.Append(begin.ToString());
        bool isFirst = true;
        foreach (T item in items)
        {
            if (!isFirst)
                _builder.Append(_itemSeparator);
            AppendLine(level + 1);
            append(item);
            isFirst = false;
        }

        if (count > 0)
            AppendLine(level);
        _builder.Append(end.ToString());
    }

    private void AppendLine(int level)
    {
        if (_indent is null)
            return;
        _builder.Append("\n");
        for (int i = 0; i < level; i++)
            _builder.Append(_indent);
    }

    private IEnumerable<KeyValuePair<object?, object?>> Ordered(PythonDictionary dictionary) =>
        _sortsKeys ? PythonSort.Sort(dictionary.Pairs, pair => pair.Key, _budget) : dictionary.Pairs;

    private static TracedText Key(object? key) => key as TracedText ?? TracedText.Of(Scalar(key));

    private static string Scalar(object? value) => value switch
    {
        null => "null",
        bool flag => flag ? "true" : "false",
        long number => number.ToString(CultureInfo.InvariantCulture),
        BigInteger number => number.ToString(CultureInfo.InvariantCulture),
        double number => double.IsNaN(number) ? "NaN" : double.IsInfinity(number) ? number > 0 ? "Infinity" : "-Infinity" : PythonFloat.Write(number),
        _ => throw new JinjaException($"a value of type '{PythonValues.TypeName(value)}' cannot be written as JSON"),
    };

    private void AppendString(TracedText text)
    {
        _builder.Append("\"");
        int from = 0;
        foreach (TextRun run in text.Runs)
        {
            _builder.Append(Escape(text.Value.AsSpan(from, run.End - from)), run.Origin);
            from = run.End;
        }

        _builder.Append("\"");
    }

    private string Escape(ReadOnlySpan<char> text)
    {
        var result = new StringBuilder(text.Length);
        foreach (char character in text)
        {
            if ("\"\\\n\r\t\f\b".IndexOf(character) is var known and >= 0)
                result.Append('\\').Append("\"\\nrtfb"[known]);
            else if (character < ' ' || (_isAscii && character > '~'))
                result.Append(CultureInfo.InvariantCulture, $"\\u{(int)character:x4}");
            else
                result.Append(character);
        }

        return result.ToString();
    }
}
