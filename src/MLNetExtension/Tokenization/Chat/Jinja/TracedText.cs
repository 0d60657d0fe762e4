namespace MLNetExtension.Tokenization.Chat.Jinja;

/// <summary>Where characters come from.</summary>
/// <param name="Source">Whose they are: <see cref="Template"/>'s, or a number that the caller gave them.</param>
/// <param name="IsGenerated">Whether they were written between <c>{% generation %}</c> and its end.</param>
internal readonly record struct TextOrigin(int Source, bool IsGenerated = false)
{
    /// <summary>The template itself.</summary>
    public const int Template = -1;

    /// <summary>Whether they are content: not the template's own.</summary>
    public bool IsContent => Source != Template;
}

/// <summary>A stretch of a text with one origin.</summary>
/// <param name="End">Where it ends; it begins where the one before it ends.</param>
/// <param name="Origin">Where its characters come from.</param>
internal readonly record struct TextRun(int End, TextOrigin Origin);

/// <summary>A string that remembers of each character where it comes from, whatever a template does with it. Two are equal if their characters are.</summary>
internal sealed class TracedText : IEquatable<TracedText>
{
    private readonly TextRun[] _runs;

    private TracedText(string value, TextRun[] runs, bool isMarkup = false)
    {
        Value = value;
        _runs = runs;
        IsMarkup = isMarkup;
    }

    /// <summary>No characters.</summary>
    public static TracedText Empty { get; } = new("", []);

    /// <summary>The characters.</summary>
    public string Value { get; }

    /// <summary>The number of UTF-16 units.</summary>
    public int Length => Value.Length;

    /// <summary>Its stretches in order, none of them empty.</summary>
    public IReadOnlyList<TextRun> Runs => _runs;

    /// <summary>Whether it went through <c>safe</c> or <c>escape</c>: what is added to it with <c>+</c> is escaped.</summary>
    public bool IsMarkup { get; }

    /// <summary>Makes a text of one origin.</summary>
    public static TracedText Of(string value, TextOrigin origin) => value.Length == 0 ? Empty : new(value, [new TextRun(value.Length, origin)]);

    /// <summary>Makes a text that the template itself writes.</summary>
    public static TracedText Of(string value) => Of(value, new TextOrigin(TextOrigin.Template));

    /// <summary>Makes a text of its parts.</summary>
    internal static TracedText Of(string value, TextRun[] runs) => value.Length == 0 ? Empty : new(value, runs);

    /// <summary>The origin of the character at a position.</summary>
    public TextOrigin OriginAt(int position) => _runs[IndexOfRun(position)].Origin;

    /// <summary>The index of the run that has the character at a position.</summary>
    public int IndexOfRun(int position) => Math.Min(SortedEnds.FirstBehind(_runs, position, run => run.End), _runs.Length - 1);

    /// <summary>The origin of its first character that is content; where there is none, the template.</summary>
    public TextOrigin MainOrigin()
    {
        foreach (TextRun run in _runs)
        {
            if (run.Origin.IsContent)
                return run.Origin;
        }

        return new TextOrigin(TextOrigin.Template);
    }

    /// <summary>Gives other characters the origins of these: one by one where there are as many, else all of them the main one.</summary>
    public TracedText WithValue(string value) => value.Length == Length ? Of(value, _runs) : Of(value, MainOrigin());

    /// <summary>The same text, as one that is not to be escaped.</summary>
    public TracedText AsMarkup() => new(Value, _runs, isMarkup: true);

    /// <inheritdoc/>
    public bool Equals(TracedText? other) => other is not null && Value == other.Value;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as TracedText);

    /// <inheritdoc/>
    public override int GetHashCode() => Value.GetHashCode(StringComparison.Ordinal);

    /// <inheritdoc/>
    public override string ToString() => Value;
}
