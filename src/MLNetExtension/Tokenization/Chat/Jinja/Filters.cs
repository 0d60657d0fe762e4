using System.Globalization;
using System.Numerics;

namespace MLNetExtension.Tokenization.Chat.Jinja;

/// <summary>What <c>value | name</c> does: the filters of texts and numbers, and the list of all.</summary>
internal static class Filters
{
    /// <summary>Applies a filter.</summary>
    /// <param name="rendering">The rendering.</param>
    /// <param name="value">What stands in front of the bar.</param>
    /// <param name="arguments">What stands in the brackets.</param>
    public delegate object? Filter(Rendering rendering, object? value, Arguments arguments);

    // Jinja's other filters, which no chat template was found to use.
    private static readonly string[] Missing = ["batch", "filesizeformat", "pprint", "random", "slice", "striptags", "urlencode", "urlize", "wordwrap", "xmlattr"];

    private static readonly Dictionary<string, Filter> Known = new(SequenceFilters.All)
    {
        ["abs"] = (_, value, _) => Arithmetic.Negate(PythonValues.AsNumber(value) < 0 ? "-" : "+", value),
        ["attr"] = (rendering, value, arguments) => value is PythonDictionary ? new Undefined("a dictionary has no attributes")
            : Members.GetAttribute(value, arguments.Bind("attr", "name").RequireText("name").Value, rendering.Budget),
        ["capitalize"] = (rendering, value, _) => Map(rendering, value, PythonText.Capitalize),
        ["center"] = (rendering, value, arguments) =>
            TextMethods.Pad(Text(rendering, value), arguments.Bind("center", "width").Integer("width", 80), 0.5, TracedText.Of(" "), rendering.Budget),
        ["d"] = Default,
        ["default"] = Default,
        ["e"] = Escape,
        ["escape"] = Escape,
        ["float"] = (_, value, arguments) => ToFloat(value) ?? arguments.Bind("float", "default").Get("default", 0.0),
        ["forceescape"] = (rendering, value, _) => Printer.Escape(Text(rendering, value), rendering.Budget),
        ["format"] = (rendering, value, arguments) => TextFormat.Percent(Text(rendering, value), new PythonSequence(arguments.Positional, SequenceKind.Tuple), rendering.Budget),
        ["indent"] = Indent,
        ["int"] = (_, value, arguments) => ToInteger(value, arguments),
        ["lower"] = (rendering, value, _) => Map(rendering, value, PythonText.Lower),
        ["replace"] = (rendering, value, arguments) =>
        {
            Arguments.Bound bound = arguments.Bind("replace", "old", "new", "count");
            return PythonText.Replace(
                Text(rendering, value), Text(rendering, bound.Require("old")), Text(rendering, bound.Require("new")), bound.Get("count") is null ? -1 : bound.Integer("count", -1), rendering.Budget);
        },
        ["round"] = (_, value, arguments) => Round(value, arguments.Bind("round", "precision", "method")),
        ["safe"] = (rendering, value, _) => Text(rendering, value).AsMarkup(),
        ["string"] = (rendering, value, _) => Text(rendering, value),
        ["title"] = (rendering, value, _) => Map(rendering, value, Title),
        ["tojson"] = (rendering, value, arguments) => JsonPrinter.Write(value, arguments, rendering.Budget),
        ["trim"] = (rendering, value, arguments) => PythonText.Strip(Text(rendering, value), arguments.Bind("trim", "chars").Text("chars")?.Value, true, true, rendering.Budget),
        ["truncate"] = Truncate,
        ["upper"] = (rendering, value, _) => Map(rendering, value, PythonText.Upper),
        ["wordcount"] = (rendering, value, _) => (long)TextSplitting.Split(Text(rendering, value), null, -1, rendering.Budget).Count,
    };

    /// <summary>Whether there is such a filter.</summary>
    public static bool Has(string name) => Known.ContainsKey(name);

    /// <summary>Applies the filter of a name.</summary>
    public static object? Apply(string name, Rendering rendering, object? value, Arguments arguments)
    {
        if (Known.TryGetValue(name, out Filter? filter))
            return filter(rendering, value, arguments);
        throw Missing.Contains(name)
            ? new JinjaException($"the filter '{name}' is not supported; known are {string.Join(", ", Known.Keys.Order())}", JinjaFault.NotSupported)
            : new JinjaException($"there is no filter '{Files.Excerpt.Of(name)}'");
    }

    /// <summary>A value as a text, as filters of texts take it.</summary>
    internal static TracedText Text(Rendering rendering, object? value) => Printer.Write(value, rendering.Budget);

    private static TracedText Map(Rendering rendering, object? value, Func<string, string> map) => TextMethods.Map(Text(rendering, value), map, rendering.Budget);

    private static object? Default(Rendering rendering, object? value, Arguments arguments)
    {
        Arguments.Bound bound = arguments.Bind("default", "default_value", "boolean");
        return value is Undefined || (bound.Flag("boolean") && !PythonValues.IsTrue(value)) ? bound.Get("default_value", TracedText.Empty) : value;
    }

    private static object Escape(Rendering rendering, object? value, Arguments arguments) =>
        value is TracedText { IsMarkup: true } ? value : Printer.Escape(Text(rendering, value), rendering.Budget);

    // A word begins at the beginning, and behind white space, hyphens and opening brackets.
    private static string Title(string text) =>
        string.Concat(text.Select((c, i) => i == 0 || "-({[<".Contains(text[i - 1]) || PythonText.Spaces.Contains(text[i - 1]) ? char.ToUpperInvariant(c) : char.ToLowerInvariant(c)));

    private static object Indent(Rendering rendering, object? value, Arguments arguments)
    {
        Arguments.Bound bound = arguments.Bind("indent", "width", "first", "blank");
        RenderBudget budget = rendering.Budget;
        TracedText indent = bound.Get("width") as TracedText ?? PythonText.Repeat(TracedText.Of(" "), bound.Integer("width", 4), budget);
        TracedText text = new TracedTextBuilder(budget).Append(Text(rendering, value)).Append("\n").ToText();
        var result = new TracedTextBuilder(budget);
        bool isFirst = true;
        foreach (TracedText line in PythonText.Lines(text, keepEnds: false, budget).Cast<TracedText>())
        {
            result.Append(isFirst ? "" : "\n");
            bool isIndented = isFirst ? bound.Flag("first") : line.Length > 0 || bound.Flag("blank");
            result.Append(isIndented ? indent : TracedText.Empty).Append(line);
            isFirst = false;
        }

        return result.ToText();
    }

    private static object Truncate(Rendering rendering, object? value, Arguments arguments)
    {
        Arguments.Bound bound = arguments.Bind("truncate", "length", "killwords", "end", "leeway");
        TracedText text = Text(rendering, value), end = bound.Text("end") ?? TracedText.Of("...");
        long length = bound.Integer("length", 255);
        if (PythonText.Length(text) <= length + bound.Integer("leeway", 5))
            return text;
        long kept = length - PythonText.Length(end);
        if (kept < 0)
            throw new JinjaException("the argument 'length' of 'truncate' is shorter than its end");
        TracedText start = PythonText.Slice(text, 0, PythonText.Position(text, kept), rendering.Budget);
        if (!bound.Flag("killwords") && start.Value.LastIndexOf(' ') is var space and >= 0)
            start = PythonText.Slice(start, 0, space, rendering.Budget);
        return new TracedTextBuilder(rendering.Budget).Append(start).Append(end).ToText();
    }

    private static double? ToFloat(object? value) => value switch
    {
        Undefined undefined => throw undefined.Error(),
        TracedText text => PythonFloat.Read(text.Value),
        _ => PythonValues.AsNumber(value),
    };

    private static object? ToInteger(object? value, Arguments arguments)
    {
        Arguments.Bound bound = arguments.Bind("int", "default", "base");
        if (value is TracedText text)
        {
            string digits = text.Value.Trim(PythonText.Spaces.ToCharArray()).Replace("_", "");
            if (bound.Integer("base", 10) is 16 && long.TryParse(digits.StartsWith("0x", StringComparison.OrdinalIgnoreCase) ? digits[2..] : digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out long hex))
                return hex;
            if (long.TryParse(digits, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long integer))
                return integer;
        }

        if (value is BigInteger || PythonValues.AsInteger(value) is not null)
            return value is bool ? PythonValues.AsInteger(value) : value;
        return ToFloat(value) is { } number && Math.Abs(number) < 9e18 ? (long)number : bound.Get("default", 0L);
    }

    private static object Round(object? value, Arguments.Bound bound)
    {
        double number = PythonValues.AsNumber(value) ?? throw new JinjaException($"'round' takes no value of type '{PythonValues.TypeName(value)}'");
        int precision = (int)Math.Clamp(bound.Integer("precision", 0), 0, 15);
        double scale = Math.Pow(10, precision);
        return (bound.Text("method")?.Value ?? "common") switch
        {
            "common" => PythonValues.AsInteger(value) is { } integer ? (object)integer : Math.Round(number, precision, MidpointRounding.ToEven),
            "ceil" => Math.Ceiling(number * scale) / scale,
            "floor" => Math.Floor(number * scale) / scale,
            var other => throw new JinjaException($"the method '{Files.Excerpt.Of(other)}' of 'round' is not known"),
        };
    }
}
