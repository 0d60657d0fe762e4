using System.Globalization;
using System.Numerics;

namespace MLNetExtension.Tokenization.Chat.Jinja;

/// <summary>Python's two ways to fill in texts: <c>'%s and %d' % (a, b)</c>, and <c>'{} and {name}'.format(a, name=b)</c>.</summary>
internal static class TextFormat
{
    /// <summary>Fills in <c>%s</c>, <c>%r</c>, <c>%d</c>, <c>%i</c>, <c>%f</c> (<c>%.2f</c>) and <c>%%</c>.</summary>
    public static TracedText Percent(TracedText format, object? values, RenderBudget budget)
    {
        IReadOnlyList<object?> all = values is PythonSequence { Kind: SequenceKind.Tuple } tuple ? tuple : [values];
        var result = new TracedTextBuilder(budget);
        int used = 0, start = 0;
        while (format.Value.IndexOf('%', start) is var found and >= 0)
        {
            result.Append(format, start, found - start);
            int end = format.Value.AsSpan(found + 1).IndexOfAnyExcept(".0123456789");
            char kind = end < 0 ? throw new JinjaException("a format ends behind '%'") : format.Value[found + 1 + end];
            string options = format.Value.Substring(found + 1, end);
            start = found + end + 2;
            if (kind == '%')
                result.Append("%");
            else if (used < all.Count)
                result.Append(Percent(kind, options, all[used++], budget));
            else
                throw new JinjaException("a format has more places than values");
        }

        if (used < all.Count && values is not PythonDictionary)
            throw new JinjaException("a format has fewer places than values");
        return result.Append(format, start, format.Length - start).ToText();
    }

    /// <summary>Fills in <c>{}</c>, <c>{0}</c> and <c>{name}</c>; <c>{{</c> and <c>}}</c> are braces.</summary>
    public static TracedText Braces(TracedText format, Arguments arguments, RenderBudget budget)
    {
        var result = new TracedTextBuilder(budget);
        int next = 0;
        for (int at = 0; at < format.Length;)
        {
            budget.Step();
            int brace = format.Value.AsSpan(at).IndexOfAny('{', '}');
            int end = brace < 0 ? format.Length : at + brace;
            result.Append(format, at, end - at);
            if (end == format.Length)
                break;
            if (end + 1 < format.Length && format.Value[end + 1] == format.Value[end])
            {
                result.Append(format, end, 1);
                at = end + 2;
                continue;
            }

            int close = format.Value.IndexOf('}', end);
            if (format.Value[end] == '}' || close < 0)
                throw new JinjaException("a brace of a format has no partner");
            result.Append(Printer.Write(Field(format.Value[(end + 1)..close], arguments, ref next), budget));
            at = close + 1;
        }

        return result.ToText();
    }

    private static object? Field(string name, Arguments arguments, ref int next)
    {
        if (name.AsSpan().IndexOfAny(".[:!") >= 0)
            throw new JinjaException($"the field '{{{Files.Excerpt.Of(name)}}}' of a format is not supported: known are {{}}, {{0}} and {{name}}", JinjaFault.NotSupported);
        if (name.Length == 0 || int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out _))
        {
            int index = name.Length == 0 ? next++ : int.Parse(name, NumberStyles.None, CultureInfo.InvariantCulture);
            return index < arguments.Positional.Count ? arguments.Positional[index] : throw new JinjaException("a format has more places than values");
        }

        return arguments.Named.TryGetValue(name, out object? value) ? value : throw new JinjaException($"a format names '{Files.Excerpt.Of(name)}', which it is not given");
    }

    private static TracedText Percent(char kind, string options, object? value, RenderBudget budget)
    {
        switch (kind)
        {
            case 's' when options.Length == 0:
                return Printer.Write(value, budget);
            case 'r' when options.Length == 0:
                var builder = new TracedTextBuilder(budget);
                Printer.AppendRepresentation(builder, value, budget);
                return builder.ToText();
            case 'd' or 'i' when options.Length == 0 && PythonValues.AsNumber(value) is { } number:
                return value is BigInteger ? Printer.Write(value, budget) : TracedText.Of(Math.Truncate(number).ToString("F0", CultureInfo.InvariantCulture));
            case 'f' when PythonValues.AsNumber(value) is { } number && (options.Length == 0 || (options.Length is 2 or 3 && options[0] == '.')):
                return TracedText.Of(number.ToString("F" + (options.Length == 0 ? "6" : options[1..]), CultureInfo.InvariantCulture));
            default:
                throw new JinjaException($"the format '%{Files.Excerpt.Of(options, 20)}{kind}' of a value of type '{PythonValues.TypeName(value)}' is not supported", JinjaFault.NotSupported);
        }
    }
}
