using System.Globalization;
using System.Numerics;
using System.Text;

namespace MLNetExtension.Tokenization.Chat.Jinja;

/// <summary>Writes values as texts, as Python's <c>str</c> and <c>repr</c> do.</summary>
internal static class Printer
{
    /// <summary>Writes a value as <c>{{ }}</c> does.</summary>
    public static TracedText Write(object? value, RenderBudget budget)
    {
        switch (value)
        {
            case TracedText text:
                return text;
            case Undefined:
                return TracedText.Empty;
            default:
                var builder = new TracedTextBuilder(budget);
                AppendRepresentation(builder, value, budget);
                return builder.ToText();
        }
    }

    /// <summary>Adds a value as it stands in lists: strings have quotes.</summary>
    public static void AppendRepresentation(TracedTextBuilder builder, object? value, RenderBudget budget)
    {
        budget.Enter();
        switch (value)
        {
            case TracedText text:
                AppendQuoted(builder, text);
                break;
            case PythonDictionary dictionary:
                AppendDictionary(builder, dictionary, budget);
                break;
            case PythonSequence { Kind: not SequenceKind.Range } sequence:
                AppendSequence(builder, sequence, budget);
                break;
            case Namespace space:
                builder.Append("<Namespace ");
                AppendDictionary(builder, space.Attributes.Select(pair => new KeyValuePair<object?, object?>(TracedText.Of(pair.Key), pair.Value)), budget);
                builder.Append(">");
                break;
            default:
                builder.Append(Scalar(value));
                break;
        }

        budget.Leave();
    }

    /// <summary>Replaces the characters that HTML reserves.</summary>
    public static TracedText Escape(TracedText text, RenderBudget budget)
    {
        (string Character, string Entity)[] entities = [("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("'", "&#39;"), ("\"", "&#34;")];
        TracedText escaped = text;
        foreach ((string character, string entity) in entities)
            escaped = PythonText.Replace(escaped, TracedText.Of(character), TracedText.Of(entity, text.MainOrigin()), -1, budget);
        return escaped.AsMarkup();
    }

    private static string Scalar(object? value) => value switch
    {
        null => "None",
        bool flag => flag ? "True" : "False",
        long number => number.ToString(CultureInfo.InvariantCulture),
        BigInteger number => number.ToString(CultureInfo.InvariantCulture),
        double number => PythonFloat.Write(number),
        PythonSequence { Count: 0 } => "range(0, 0)",
        PythonSequence range => DescribeRange(range),
        Undefined => "Undefined",
        Function function => $"<function {function.Name}>",
        _ => $"<{PythonValues.TypeName(value)} object>",
    };

    private static string DescribeRange(PythonSequence range)
    {
        long first = (long)range[0]!, step = range.Count > 1 ? (long)range[1]! - first : 1;
        long end = first + (step * range.Count);
        return FormattableString.Invariant($"range({first}, {end}{(step == 1 ? "" : $", {step}")})");
    }

    private static void AppendSequence(TracedTextBuilder builder, PythonSequence sequence, RenderBudget budget)
    {
        (string begin, string end) = sequence.Kind switch
        {
            SequenceKind.Tuple => ("(", sequence.Count == 1 ? ",)" : ")"),
            SequenceKind.View => ("dict_items([", "])"),
            _ => ("[", "]"),
        };
        builder.Append(begin);
        for (int i = 0; i < sequence.Count; i++)
        {
            builder.Append(i == 0 ? "" : ", ");
            AppendRepresentation(builder, sequence[i], budget);
        }

        builder.Append(end);
    }

    private static void AppendDictionary(TracedTextBuilder builder, PythonDictionary dictionary, RenderBudget budget) => AppendDictionary(builder, dictionary.Pairs, budget);

    private static void AppendDictionary(TracedTextBuilder builder, IEnumerable<KeyValuePair<object?, object?>> pairs, RenderBudget budget)
    {
        string separator = "{";
        foreach ((object? key, object? value) in pairs)
        {
            builder.Append(separator);
            AppendRepresentation(builder, key, budget);
            builder.Append(": ");
            AppendRepresentation(builder, value, budget);
            separator = ", ";
        }

        builder.Append(separator == "{" ? "{}" : "}");
    }

    private static void AppendQuoted(TracedTextBuilder builder, TracedText text)
    {
        char quote = text.Value.Contains('\'') && !text.Value.Contains('"') ? '"' : '\'';
        builder.Append(quote.ToString());
        int from = 0;
        foreach (TextRun run in text.Runs)
        {
            builder.Append(Quote(text.Value[from..run.End], quote), run.Origin);
            from = run.End;
        }

        builder.Append(quote.ToString());
    }

    private static string Quote(string text, char quote)
    {
        var result = new StringBuilder(text.Length);
        foreach (Rune rune in text.EnumerateRunes())
        {
            if (rune.Value == quote || rune.Value == '\\')
                result.Append('\\').Append((char)rune.Value);
            else if (rune.Value is '\n' or '\r' or '\t')
                result.Append('\\').Append(rune.Value == '\n' ? 'n' : rune.Value == '\r' ? 'r' : 't');
            else if (PythonText.IsPrintable(rune))
                result.Append(rune.ToString());
            else
                result.Append(rune.Value < 256 ? $"\\x{rune.Value:x2}" : rune.Value < 65536 ? $"\\u{rune.Value:x4}" : $"\\U{rune.Value:x8}");
        }

        return result.ToString();
    }
}
