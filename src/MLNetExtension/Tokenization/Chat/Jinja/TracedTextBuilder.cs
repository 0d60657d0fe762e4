using System.Text;

namespace MLNetExtension.Tokenization.Chat.Jinja;

/// <summary>Puts texts together, and takes what that costs from a budget before it does so.</summary>
internal sealed class TracedTextBuilder(RenderBudget budget)
{
    // What a run takes, in characters.
    private const int CharactersPerRun = 6;

    private readonly StringBuilder _value = new();
    private readonly List<TextRun> _runs = [];

    /// <summary>The number of UTF-16 units so far.</summary>
    public int Length => _value.Length;

    /// <summary>Adds a text.</summary>
    public TracedTextBuilder Append(TracedText text) => Append(text, 0, text.Length);

    /// <summary>Adds a part of a text.</summary>
    public TracedTextBuilder Append(TracedText text, int start, int length)
    {
        if (length <= 0)
            return this;

        budget.Write(length + CharactersPerRun);
        _value.Append(text.Value, start, length);
        int end = start + length, from = start;
        for (int i = text.IndexOfRun(start); from < end; i++)
        {
            int to = Math.Min(text.Runs[i].End, end);
            AddRun(to - from, text.Runs[i].Origin);
            from = to;
        }

        return this;
    }

    /// <summary>Adds characters of one origin.</summary>
    public TracedTextBuilder Append(string text, TextOrigin origin)
    {
        if (text.Length == 0)
            return this;

        budget.Write(text.Length + CharactersPerRun);
        _value.Append(text);
        AddRun(text.Length, origin);
        return this;
    }

    /// <summary>Adds characters of the template's own.</summary>
    public TracedTextBuilder Append(string text) => Append(text, new TextOrigin(TextOrigin.Template));

    /// <summary>Adds a character many times.</summary>
    public TracedTextBuilder Append(char character, long count)
    {
        if (count <= 0)
            return this;

        budget.Write(count);
        return Append(new string(character, (int)count));
    }

    /// <summary>Adds a text as one that the model is to write: what stands between <c>{% generation %}</c> and its end.</summary>
    public void AppendGenerated(TracedText text)
    {
        int from = 0;
        foreach (TextRun run in text.Runs)
        {
            Append(text.Value[from..run.End], run.Origin with { IsGenerated = true });
            from = run.End;
        }
    }

    /// <summary>The text.</summary>
    public TracedText ToText()
    {
        budget.Write(Length);
        return TracedText.Of(_value.ToString(), [.. _runs]);
    }

    private void AddRun(int length, TextOrigin origin)
    {
        int end = (_runs.Count == 0 ? 0 : _runs[^1].End) + length;
        if (_runs.Count > 0 && _runs[^1].Origin == origin)
        {
            _runs[^1] = new TextRun(end, origin);
            return;
        }

        budget.Write(CharactersPerRun);
        _runs.Add(new TextRun(end, origin));
    }
}
