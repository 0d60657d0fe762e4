using System.Collections.Concurrent;
using MLNetExtension.Tokenization.Chat.Jinja;

namespace MLNetExtension.Tokenization.Chat;

/// <summary>Finds what of a rendered chat is trained on: what the assistant says, and the token that ends its turn.</summary>
/// <remarks>
/// <para>A turn begins where the chat, rendered up to it with the prompt for an answer, ends. What the template puts between that prompt and every plain answer, such as an empty block of
/// thoughts, is not the assistant's and is left out; what it puts there because of the message, such as the beginning of a call of a tool, is part of the turn. A turn ends behind the first
/// token behind its last character that ends turns.</para>
/// <para>Where the template has marks of its own, <c>{% generation %}</c>, only what is within them as well is trained on.</para>
/// </remarks>
internal sealed class TurnFinder
{
    // As many different texts in front of an answer are remembered: most templates have one or two.
    private const int MaximumHeaders = 256;

    private readonly SpecialTokenFinder _specialTokens;
    private readonly IReadOnlySet<int> _ends;
    private readonly string _inserted;
    private readonly ConcurrentDictionary<string, int> _headers = new();

    /// <param name="specialTokens">Finds special tokens.</param>
    /// <param name="ends">The ids of those that end turns.</param>
    /// <param name="inserted">What the template puts between the prompt and a plain answer; empty where that is nothing but white space.</param>
    public TurnFinder(SpecialTokenFinder specialTokens, IReadOnlySet<int> ends, string inserted)
    {
        _specialTokens = specialTokens;
        _ends = ends;
        _inserted = inserted;
    }

    /// <summary>Finds the assistant's turns.</summary>
    /// <param name="renderer">Renders the chat.</param>
    /// <param name="chat">The whole chat, rendered.</param>
    /// <param name="messages">Its messages.</param>
    /// <returns>Stretches of the text, in order.</returns>
    public IReadOnlyList<ChatSpan> Find(ChatRenderer renderer, RenderedChat chat, IReadOnlyList<ChatMessage> messages)
    {
        var turns = new List<ChatSpan>();
        for (int i = 0; i < messages.Count; i++)
        {
            if (messages[i].Role == ChatMessage.Assistant && FindTurn(renderer, chat, i) is { } turn)
                turns.Add(turn);
        }

        bool isMarked = renderer.HasGeneration && chat.Text.Runs.Any(run => run.Origin.IsGenerated);
        return isMarked ? [.. turns.SelectMany(turn => Marked(chat.Text, turn))] : turns;
    }

    private ChatSpan? FindTurn(ChatRenderer renderer, RenderedChat chat, int message)
    {
        if (chat.Layout.Find(message) is not { } place)
            return FindEmptyTurn(renderer, chat, message);
        if (!place.IsWhole)
            throw new InvalidDataException($"The chat template mixes what the assistant says in message {message} with another message, so that it cannot be told what to train on.");
        return new ChatSpan(FindStart(renderer, chat, message, place), FindEnd(renderer, chat, message, place));
    }

    // The assistant says nothing, or nothing that the template writes: its turn is the token that ends it, where a header shows that there is one.
    private ChatSpan? FindEmptyTurn(ChatRenderer renderer, RenderedChat chat, int message)
    {
        if (FindPrompt(renderer, message) is not { } prompt || !chat.Text.Value.StartsWith(prompt, StringComparison.Ordinal))
            return null;
        int start = prompt.Length + InsertedAt(chat.Text.Value, prompt.Length);
        int end = chat.FindToken(start, chat.Layout.NextContent(start), _ends);
        return end < 0 ? null : new ChatSpan(start, end);
    }

    private int FindStart(ChatRenderer renderer, RenderedChat chat, int message, MessagePlace place)
    {
        string text = chat.Text.Value;
        // What the template writes between the message before and this one; the same text is the same header.
        string header = text[place.Before..place.Start];
        if (_headers.TryGetValue(header, out int length))
            return place.Before + length;

        int start = FindPrompt(renderer, message) is { } prompt ? StartBehind(chat, prompt, place) : place.Start;
        if (_headers.Count < MaximumHeaders)
            _headers[header] = start - place.Before;
        return start;
    }

    /// <summary>Where the prompt ends; where it goes on in another way than the chat, as one that opens thoughts does, the end of the last special token that both have.</summary>
    /// <param name="chat">The chat.</param>
    /// <param name="prompt">The chat up to a message, with the prompt for it.</param>
    /// <param name="place">Where the message stands in the chat.</param>
    internal static PromptEnd EndOfPrompt(RenderedChat chat, string prompt, MessagePlace place)
    {
        int common = prompt.AsSpan().CommonPrefixLength(chat.Text.Value.AsSpan(0, place.Start));
        bool isWhole = common == prompt.Length || common == place.Start;
        int end = isWhole ? common : chat.LastTokenEnd(common);
        return end >= place.Before ? new PromptEnd(end, isWhole) : new PromptEnd(place.Start, isWhole);
    }

    // Behind the prompt and what the template puts behind it in front of every answer.
    private int StartBehind(RenderedChat chat, string prompt, MessagePlace place)
    {
        PromptEnd end = EndOfPrompt(chat, prompt, place);
        int inserted = end.IsWhole
            ? InsertedAt(chat.Text.Value, end.Position)
            : _inserted.AsSpan().CommonPrefixLength(chat.Text.Value.AsSpan(end.Position, place.Start - end.Position));
        return Math.Min(place.Start, end.Position + inserted);
    }

    private int InsertedAt(string text, int start) => string.CompareOrdinal(text, start, _inserted, 0, _inserted.Length) == 0 ? _inserted.Length : 0;

    // Null where the template refuses the chat up to here, such as one that begins with the assistant.
    private static string? FindPrompt(ChatRenderer renderer, int message)
    {
        try
        {
            return renderer.RenderPrompt(message).Value;
        }
        catch (InvalidDataException error) when (error.InnerException is JinjaException { Fault: not JinjaFault.Limit })
        {
            return null;
        }
    }

    private int FindEnd(ChatRenderer renderer, RenderedChat chat, int message, MessagePlace place)
    {
        if (chat.FindToken(place.End, place.After, _ends) is var end and >= 0)
            return end;
        if (message + 1 == renderer.Count)
            return place.End;

        // Another special token, such as one for calls of tools, ends the turn if it is there without the messages behind it.
        RenderedChat start = new(renderer.Render(message + 1), _specialTokens);
        if (start.Layout.Find(message) is not { } alone || start.FindToken(alone.End, alone.After, null) is var token && token < 0)
            return place.End;
        int length = token - alone.End;
        return string.CompareOrdinal(start.Text.Value, alone.End, chat.Text.Value, place.End, length) == 0 ? place.End + length : place.End;
    }

    private static IEnumerable<ChatSpan> Marked(TracedText text, ChatSpan turn)
    {
        int start = 0;
        foreach (TextRun run in text.Runs)
        {
            var span = new ChatSpan(Math.Max(start, turn.Start), Math.Min(run.End, turn.End));
            if (run.Origin.IsGenerated && span.Start < span.End)
                yield return span;
            start = run.End;
        }
    }
}

/// <summary>Where a prompt ends in the chat with its answer.</summary>
/// <param name="Position">The position.</param>
/// <param name="IsWhole">Whether the chat begins with the whole prompt.</param>
internal readonly record struct PromptEnd(int Position, bool IsWhole);
