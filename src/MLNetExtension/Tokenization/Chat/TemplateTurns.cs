using System.Text.Json;
using MLNetExtension.Files;
using MLNetExtension.Tokenization.Chat.Jinja;

namespace MLNetExtension.Tokenization.Chat;

/// <summary>A template, and how it lays out the assistant's turns: found by a short chat that it renders.</summary>
/// <param name="Template">The template.</param>
/// <param name="EndOfTurnId">The token that ends a turn.</param>
/// <param name="Finder">Finds what is trained on.</param>
internal sealed record TemplateTurns(JinjaTemplate Template, int EndOfTurnId, TurnFinder Finder)
{
    private static readonly ChatMessage System = new("system", "instruction"), User = new("user", "question");

    /// <summary>Renders a short chat, and sees what stands around the answer.</summary>
    /// <exception cref="InvalidDataException">The template refuses any chat; or it does not write the answer, or not in one place; or ends a turn with what is no token.</exception>
    /// <exception cref="NotSupportedException">It uses what is not supported.</exception>
    public static TemplateTurns Create(JinjaTemplate template, IChatTokenizer tokenizer, SpecialTokenFinder specialTokens, ProbeSettings settings)
    {
        (ChatRenderer renderer, RenderedChat chat) = RenderAny(template, tokenizer, specialTokens, settings);
        int answer = renderer.Count;
        if (chat.Layout.Find(answer) is not { } place)
            throw new InvalidDataException($"{template.Name}: the template does not write what the assistant says, so that there is nothing to train on.");
        if (!place.IsWhole || place.End - place.Start != ChatRenderer.Answer.Content.Length || place.After != chat.Text.Length)
        {
            throw new InvalidDataException(
                $"{template.Name}: the template does not write what the assistant says in one place behind the question, so that it cannot be told what to train on.");
        }

        int end = FindEnd(template, tokenizer, chat, place.End);
        var ends = new HashSet<int> { end, tokenizer.EndOfTextId };
        return new TemplateTurns(template, end, new TurnFinder(specialTokens, ends, FindInserted(renderer, chat, place)));
    }

    // Some templates refuse a chat without instructions.
    private static (ChatRenderer Renderer, RenderedChat Chat) RenderAny(JinjaTemplate template, IChatTokenizer tokenizer, SpecialTokenFinder specialTokens, ProbeSettings settings)
    {
        try
        {
            return Render([User]);
        }
        catch (InvalidDataException error) when (error.InnerException is JinjaException { Fault: not JinjaFault.Limit })
        {
            if (TryRender([System, User]) is { } second)
                return second;
            throw;
        }

        (ChatRenderer Renderer, RenderedChat Chat) Render(ChatMessage[] messages)
        {
            var renderer = new ChatRenderer(template, new ChatVariables(new ChatConversation(messages, settings.Tools), tokenizer.NamedTokens), settings.Now);
            return (renderer, new RenderedChat(renderer.Render(messages.Length, answer: ChatRenderer.Answer), specialTokens));
        }

        (ChatRenderer Renderer, RenderedChat Chat)? TryRender(ChatMessage[] messages)
        {
            try
            {
                return Render(messages);
            }
            catch (InvalidDataException second) when (second.InnerException is JinjaException)
            {
                return null;
            }
        }
    }

    private static int FindEnd(JinjaTemplate template, IChatTokenizer tokenizer, RenderedChat chat, int from)
    {
        foreach (SpecialToken token in chat.Tokens)
        {
            if (token.Start >= from)
                return token.Id;
        }

        string tail = chat.Text.Value[from..].Trim();
        return tail.Length == 0
            ? tokenizer.EndOfTextId
            : throw new InvalidDataException($"{template.Name}: the template ends the assistant's turn with '{Excerpt.Of(tail, 40)}', which is no special token of the tokenizer.");
    }

    // Between the prompt and a plain answer. White space there is the beginning of the answer's first token.
    private static string FindInserted(ChatRenderer renderer, RenderedChat chat, MessagePlace place)
    {
        int prompt = TurnFinder.EndOfPrompt(chat, renderer.RenderPrompt(renderer.Count).Value, place).Position;
        string inserted = chat.Text.Value[prompt..place.Start];
        return string.IsNullOrWhiteSpace(inserted) ? "" : inserted;
    }
}

/// <summary>How the short chat is rendered.</summary>
/// <param name="Now">The local time.</param>
/// <param name="Tools">The tools that it has; null for none.</param>
internal readonly record struct ProbeSettings(DateTimeOffset Now, JsonElement? Tools);
