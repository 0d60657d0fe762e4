namespace MLNetExtension.Tokenization.Chat.Jinja;

/// <summary>The methods of Python's strings.</summary>
internal static class TextMethods
{
    private delegate object? Method(TracedText text, Arguments.Bound arguments, RenderBudget budget);

    private static readonly Dictionary<string, (string[] Parameters, Method Method)> Known = new()
    {
        ["strip"] = (["chars"], (text, arguments, budget) => PythonText.Strip(text, arguments.Text("chars")?.Value, true, true, budget)),
        ["lstrip"] = (["chars"], (text, arguments, budget) => PythonText.Strip(text, arguments.Text("chars")?.Value, true, false, budget)),
        ["rstrip"] = (["chars"], (text, arguments, budget) => PythonText.Strip(text, arguments.Text("chars")?.Value, false, true, budget)),
        ["split"] = (["sep", "maxsplit"], (text, arguments, budget) => new PythonSequence(TextSplitting.Split(text, arguments.Text("sep"), arguments.Integer("maxsplit", -1), budget))),
        ["rsplit"] = (["sep", "maxsplit"], (text, arguments, budget) => new PythonSequence(TextSplitting.SplitFromEnd(text, arguments.Text("sep"), arguments.Integer("maxsplit", -1), budget))),
        ["splitlines"] = (["keepends"], (text, arguments, budget) => new PythonSequence(PythonText.Lines(text, arguments.Flag("keepends"), budget))),
        ["partition"] = (["sep"], (text, arguments, budget) => TextSplitting.Partition(text, arguments.RequireText("sep"), fromEnd: false, budget)),
        ["rpartition"] = (["sep"], (text, arguments, budget) => TextSplitting.Partition(text, arguments.RequireText("sep"), fromEnd: true, budget)),
        ["replace"] = (["old", "new", "count"], (text, arguments, budget) =>
            PythonText.Replace(text, arguments.RequireText("old"), arguments.RequireText("new"), arguments.Integer("count", -1), budget)),
        ["join"] = (["iterable"], (text, arguments, budget) => PythonText.Join(text, Texts(arguments.Require("iterable"), budget), budget)),
        ["startswith"] = (["prefix", "start", "end"], (text, arguments, budget) =>
            Any(arguments.Require("prefix"), prefix => Part(text, arguments, budget).Value.StartsWith(prefix, StringComparison.Ordinal))),
        ["endswith"] = (["suffix", "start", "end"], (text, arguments, budget) =>
            Any(arguments.Require("suffix"), suffix => Part(text, arguments, budget).Value.EndsWith(suffix, StringComparison.Ordinal))),
        ["removeprefix"] = (["prefix"], (text, arguments, budget) => arguments.RequireText("prefix").Value is var prefix && text.Value.StartsWith(prefix, StringComparison.Ordinal)
            ? PythonText.Slice(text, prefix.Length, text.Length - prefix.Length, budget) : text),
        ["removesuffix"] = (["suffix"], (text, arguments, budget) => arguments.RequireText("suffix").Value is var suffix && text.Value.EndsWith(suffix, StringComparison.Ordinal)
            ? PythonText.Slice(text, 0, text.Length - suffix.Length, budget) : text),
        ["find"] = (["sub"], (text, arguments, _) => Find(text, arguments, fromEnd: false)),
        ["rfind"] = (["sub"], (text, arguments, _) => Find(text, arguments, fromEnd: true)),
        ["index"] = (["sub"], (text, arguments, _) => Find(text, arguments, fromEnd: false) is var found and >= 0 ? found : throw new JinjaException("'index' found no such text")),
        ["count"] = (["sub"], (text, arguments, budget) => Count(text, arguments.RequireText("sub"), budget)),
        ["upper"] = ([], (text, _, budget) => Map(text, PythonText.Upper, budget)),
        ["lower"] = ([], (text, _, budget) => Map(text, PythonText.Lower, budget)),
        ["title"] = ([], (text, _, budget) => Map(text, PythonText.Title, budget)),
        ["capitalize"] = ([], (text, _, budget) => Map(text, PythonText.Capitalize, budget)),
        ["swapcase"] = ([], (text, _, budget) => Map(text, value => string.Concat(value.Select(c => char.IsUpper(c) ? char.ToLowerInvariant(c) : char.ToUpperInvariant(c))), budget)),
        ["ljust"] = (["width", "fillchar"], (text, arguments, budget) => Pad(text, arguments, atStart: 0, budget)),
        ["rjust"] = (["width", "fillchar"], (text, arguments, budget) => Pad(text, arguments, atStart: 1, budget)),
        ["center"] = (["width", "fillchar"], (text, arguments, budget) => Pad(text, arguments, atStart: 0.5, budget)),
        ["zfill"] = (["width"], (text, arguments, budget) => ZeroFill(text, arguments.Integer("width", 0), budget)),
        ["isdigit"] = ([], (text, _, _) => All(text, char.IsDigit)),
        ["isdecimal"] = ([], (text, _, _) => All(text, char.IsDigit)),
        ["isnumeric"] = ([], (text, _, _) => All(text, char.IsNumber)),
        ["isalpha"] = ([], (text, _, _) => All(text, char.IsLetter)),
        ["isalnum"] = ([], (text, _, _) => All(text, char.IsLetterOrDigit)),
        ["isspace"] = ([], (text, _, _) => All(text, c => PythonText.Spaces.Contains(c))),
        ["isupper"] = ([], (text, _, _) => text.Value.Any(char.IsUpper) && !text.Value.Any(char.IsLower)),
        ["islower"] = ([], (text, _, _) => text.Value.Any(char.IsLower) && !text.Value.Any(char.IsUpper)),
    };

    /// <summary>Finds a method of a text; null where there is none of this name.</summary>
    public static Function? Find(TracedText text, string name, RenderBudget budget)
    {
        if (name == "format")
            return new Function(name, (_, arguments) => TextFormat.Braces(text, arguments, budget));
        return Known.TryGetValue(name, out var known)
            ? new Function(name, (_, arguments) =>
            {
                PythonText.PayForSearch(text, arguments.Positional.Concat(arguments.Named.Values).OfType<TracedText>().MaxBy(argument => argument.Length) ?? TracedText.Empty, budget);
                return known.Method(text, arguments.Bind(name, known.Parameters), budget);
            })
            : null;
    }

    /// <summary>Changes the characters of a text, which keep their origins.</summary>
    public static TracedText Map(TracedText text, Func<string, string> map, RenderBudget budget)
    {
        budget.Write(text.Length);
        return text.WithValue(map(text.Value));
    }

    /// <summary>Puts spaces at the ends of a text until it is as long as is asked for.</summary>
    /// <param name="text">The text.</param>
    /// <param name="width">The length in code points.</param>
    /// <param name="atStart">Which share of the spaces goes in front.</param>
    /// <param name="fill">What is put there.</param>
    /// <param name="budget">Pays for it.</param>
    public static TracedText Pad(TracedText text, long width, double atStart, TracedText fill, RenderBudget budget)
    {
        long missing = Math.Max(0, width - PythonText.Length(text));
        // Python puts the odd one in front where the width is odd.
        long left = atStart == 0.5 ? (missing / 2) + (missing & width & 1) : (long)(missing * atStart);
        return new TracedTextBuilder(budget).Append(PythonText.Repeat(fill, left, budget)).Append(text).Append(PythonText.Repeat(fill, missing - left, budget)).ToText();
    }

    private static TracedText Pad(TracedText text, Arguments.Bound arguments, double atStart, RenderBudget budget)
    {
        TracedText fill = arguments.Text("fillchar") ?? TracedText.Of(" ");
        if (PythonText.Length(fill) != 1)
            throw new JinjaException("the argument 'fillchar' must be one character");
        return Pad(text, arguments.Integer("width", 0), atStart, fill, budget);
    }

    private static TracedText ZeroFill(TracedText text, long width, RenderBudget budget)
    {
        int sign = text.Value is ['+' or '-', ..] ? 1 : 0;
        TracedText zeros = PythonText.Repeat(TracedText.Of("0"), width - PythonText.Length(text), budget);
        return new TracedTextBuilder(budget).Append(text, 0, sign).Append(zeros).Append(text, sign, text.Length - sign).ToText();
    }

    private static IEnumerable<TracedText> Texts(object? values, RenderBudget budget) => PythonValues.Iterate(values, budget)
        .Select(value => value as TracedText ?? throw new JinjaException($"'join' takes strings, and found a value of type '{PythonValues.TypeName(value)}'"));

    private static bool Any(object? texts, Func<string, bool> isIt) => texts switch
    {
        TracedText text => isIt(text.Value),
        PythonSequence { Kind: SequenceKind.Tuple } tuple => tuple.Any(item => item is TracedText text && isIt(text.Value)),
        Undefined undefined => throw undefined.Error(),
        _ => throw new JinjaException($"'startswith' and 'endswith' take a string or a tuple of strings, not '{PythonValues.TypeName(texts)}'"),
    };

    private static TracedText Part(TracedText text, Arguments.Bound arguments, RenderBudget budget) => arguments.Has("start") || arguments.Has("end")
        ? (TracedText)Members.GetSlice(text, arguments.Get("start"), arguments.Get("end"), null, budget)!
        : text;

    private static long Find(TracedText text, Arguments.Bound arguments, bool fromEnd)
    {
        string sought = arguments.RequireText("sub").Value;
        int found = fromEnd ? text.Value.LastIndexOf(sought, StringComparison.Ordinal) : text.Value.IndexOf(sought, StringComparison.Ordinal);
        return found < 0 ? -1 : PythonText.CodePoint(text, found);
    }

    private static long Count(TracedText text, TracedText sought, RenderBudget budget) =>
        sought.Length == 0 ? PythonText.Length(text) + 1 : TextSplitting.Split(text, sought, -1, budget).Count - 1;

    private static bool All(TracedText text, Func<char, bool> isIt) => text.Length > 0 && text.Value.All(isIt);
}
