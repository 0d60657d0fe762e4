using MLNetExtension.Tokenization.Chat.Jinja;

namespace MLNetExtension.Tokenization.Chat;

/// <summary>Renders the beginnings of one chat, all of them with one budget and at one time.</summary>
/// <param name="template">The template.</param>
/// <param name="variables">The chat.</param>
/// <param name="now">The local time.</param>
internal sealed class ChatRenderer(JinjaTemplate template, ChatVariables variables, DateTimeOffset now)
{
    /// <summary>What stands for an answer where only its place is asked for.</summary>
    public static readonly ChatMessage Answer = new(ChatMessage.Assistant, "answer");

    private readonly RenderBudget _budget = new(variables.Length);

    /// <summary>Whether the template marks what the model is to write.</summary>
    public bool HasGeneration => template.HasGeneration;

    /// <summary>The number of messages.</summary>
    public int Count => variables.Count;

    /// <summary>Renders the first messages.</summary>
    /// <param name="count">How many.</param>
    /// <param name="addGenerationPrompt">Whether the assistant is to go on.</param>
    /// <param name="answer">A message behind them; null for none.</param>
    /// <exception cref="InvalidDataException">The template does not fit the chat; the message says why.</exception>
    /// <exception cref="NotSupportedException">It uses what is not supported.</exception>
    public TracedText Render(int count, bool addGenerationPrompt = false, ChatMessage? answer = null) =>
        template.Render(variables.Create(count, addGenerationPrompt, answer), _budget, now);

    /// <summary>Renders the first messages up to where the assistant's answer begins.</summary>
    public TracedText RenderPrompt(int count)
    {
        TracedText asked = Render(count, addGenerationPrompt: true), plain = Render(count);
        if (asked.Value != plain.Value)
            return asked;

        // The template does not know the variable: what it writes in front of an answer is the prompt. A space there is part of the answer's first token.
        TracedText answered = Render(count, answer: Answer);
        if (new ChatLayout(answered).Find(count) is not { } place)
            return plain;
        int end = answered.Value.AsSpan(0, place.Start).TrimEnd(' ').Length;
        bool goesOn = answered.Value.StartsWith(plain.Value, StringComparison.Ordinal);
        return PythonText.Slice(answered, 0, goesOn ? Math.Max(end, plain.Length) : end, _budget);
    }
}
