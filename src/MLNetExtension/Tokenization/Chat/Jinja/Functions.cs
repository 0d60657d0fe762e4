using System.Globalization;

namespace MLNetExtension.Tokenization.Chat.Jinja;

/// <summary>The functions that every template has: Jinja's, and those that transformers adds.</summary>
internal static class Functions
{
    // As in the sandbox that transformers uses.
    private const int LongestRange = 100_000;

    /// <summary>The functions by their names.</summary>
    public static readonly Dictionary<string, object?> All = new()
    {
        ["range"] = new Function("range", Range),
        ["dict"] = new Function("dict", (_, arguments) => Dictionary(arguments)),
        ["namespace"] = new Function("namespace", (_, arguments) => MakeNamespace(arguments)),
        ["raise_exception"] = new Function("raise_exception", (rendering, arguments) =>
            throw new JinjaException(Files.Excerpt.Of(Printer.Write(arguments.Bind("raise_exception", "message").Require("message"), rendering.Budget).Value, 500), JinjaFault.Raised)),
        ["strftime_now"] = new Function("strftime_now", (rendering, arguments) =>
            TracedText.Of(PythonDate.Format(rendering.Now, arguments.Bind("strftime_now", "format").RequireText("format").Value, rendering.Budget))),
        ["joiner"] = new Function("joiner", (_, arguments) => Joiner(arguments.Bind("joiner", "sep").Text("sep") ?? TracedText.Of(", "))),
        ["cycler"] = new Function("cycler", (_, _) => throw new JinjaException("'cycler' is not supported", JinjaFault.NotSupported)),
        ["lipsum"] = new Function("lipsum", (_, _) => throw new JinjaException("'lipsum' is not supported", JinjaFault.NotSupported)),
    };

    private static object Range(Rendering rendering, Arguments arguments)
    {
        long[] numbers = [.. arguments.Positional.Select(value => PythonValues.AsInteger(value) ?? throw new JinjaException($"'range' takes whole numbers, not a value of type '{PythonValues.TypeName(value)}'"))];
        (long start, long stop, long step) = numbers switch
        {
            [var end] => (0L, end, 1L),
            [var begin, var end] => (begin, end, 1L),
            [var begin, var end, var by] => (begin, end, by),
            _ => throw new JinjaException("'range' takes one to three numbers"),
        };
        if (step == 0)
            throw new JinjaException("the step of a range is 0");
        // In 128 bits, where nothing overflows.
        Int128 count = step > 0 ? ((Int128)stop - start + step - 1) / step : ((Int128)start - stop - step - 1) / -(Int128)step;
        if (count > LongestRange)
            throw new JinjaException(string.Create(CultureInfo.InvariantCulture, $"a range has more than {LongestRange} numbers"), JinjaFault.Limit);
        rendering.Budget.Allocate((long)Int128.Max(0, count));
        return new PythonSequence([.. Enumerable.Range(0, (int)Int128.Max(0, count)).Select(i => (object?)(start + (i * step)))], SequenceKind.Range);
    }

    private static PythonDictionary Dictionary(Arguments arguments)
    {
        var dictionary = new PythonDictionary();
        if (arguments.Positional.Count > 1 || arguments.Positional.Any(value => value is not PythonDictionary))
            throw new JinjaException("'dict' and 'namespace' take a dictionary and named values");
        foreach ((object? key, object? value) in arguments.Positional.Cast<PythonDictionary>().SelectMany(given => given.Pairs))
            dictionary.Set(key, value);
        foreach ((string name, object? value) in arguments.Named)
            dictionary.Set(TracedText.Of(name), value);
        return dictionary;
    }

    private static Namespace MakeNamespace(Arguments arguments)
    {
        var space = new Namespace();
        foreach ((object? key, object? value) in Dictionary(arguments).Pairs)
            space.Attributes[(key as TracedText ?? throw new JinjaException("a name in a namespace is no string")).Value] = value;
        return space;
    }

    private static Function Joiner(TracedText separator)
    {
        bool wasUsed = false;
        return new Function("joiner", (_, _) =>
        {
            TracedText text = wasUsed ? separator : TracedText.Empty;
            wasUsed = true;
            return text;
        });
    }
}
