using System.Text.Json;
using MLNetExtension.Tokenization.Chat.Jinja;

namespace MLNetExtension.Tokenization.Chat;

/// <summary>Encodes a chat in the layout that a model was trained on: as the Jinja template in the model's folder writes it.</summary>
/// <remarks>
/// <para>What the template adds is there: its default system message, its date, its tools. Special tokens are those that the template itself writes; the same characters in a message stay
/// ordinary characters, so that a message cannot forge a turn.</para>
/// <para>The template is a stranger's program: it is interpreted here, and bounded in steps, depth and output. Any number of threads may use one.</para>
/// </remarks>
internal sealed class ChatTemplate
{
    // What a template for tools is tried with.
    private static readonly JsonElement AnyTool = JsonElement.Parse("""[{"type": "function", "function": {"name": "f", "description": "", "parameters": {"type": "object", "properties": {}}}}]""");

    private readonly IChatTokenizer _tokenizer;
    private readonly TimeProvider _clock;
    private readonly SpecialTokenFinder _specialTokens;
    private readonly ChatEncoder _encoder;
    private readonly TemplateTurns _plain;
    private readonly Lazy<TemplateTurns> _withTools;

    /// <summary>Creates the template of a tokenizer; without one, that of the layout which its special tokens tell.</summary>
    /// <param name="tokenizer">The tokenizer.</param>
    /// <param name="clock">Gives the date that a template may write. Default: the system's.</param>
    /// <exception cref="ArgumentNullException"><paramref name="tokenizer"/> is null.</exception>
    /// <exception cref="NotSupportedException">The template uses what is not supported, or there is none and the special tokens tell none.</exception>
    /// <exception cref="InvalidDataException">The template is not valid, or what the assistant says cannot be found in what it writes; the message says why.</exception>
    public ChatTemplate(IChatTokenizer tokenizer, TimeProvider? clock = null)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        _tokenizer = tokenizer;
        _clock = clock ?? TimeProvider.System;
        _specialTokens = new SpecialTokenFinder(tokenizer);
        _encoder = new ChatEncoder(tokenizer);
        (string name, string source) = tokenizer.ChatTemplateSource is { } own ? ("chat_template", own) : BuiltInTemplates.Find(tokenizer.SpecialTokens);
        _plain = CreateTurns(name, source, null);
        _withTools = new(() => tokenizer.ToolTemplateSource is { } tools ? CreateTurns("chat_template 'tool_use'", tools, AnyTool) : _plain);
    }

    /// <summary>The id that ends a turn, and so ends what a model generates: the first special token that the template writes behind an answer, else the end of a text.</summary>
    public int EndOfTurnId => _plain.EndOfTurnId;

    /// <summary>Encodes a whole chat to train on.</summary>
    /// <param name="messages">The messages in order, each with a known role.</param>
    /// <param name="maximumCount">How many ids are needed; of those behind them, few or none come. Default: all.</param>
    /// <returns>The ids, and which of them are targets.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="messages"/> is null.</exception>
    /// <exception cref="ArgumentException">There is no message, or one has a role that is not known.</exception>
    /// <exception cref="InvalidDataException">The template refuses the chat, or does not fit it.</exception>
    public ChatTokens Encode(IReadOnlyList<ChatMessage> messages, int maximumCount = int.MaxValue) => Encode(new ChatConversation(messages), maximumCount);

    /// <summary>Encodes a whole chat to train on, with the tools that it may have; see <see cref="Encode(IReadOnlyList{ChatMessage}, int)"/>.</summary>
    public ChatTokens Encode(ChatConversation chat, int maximumCount = int.MaxValue)
    {
        (TemplateTurns turns, ChatRenderer renderer) = Open(chat);
        var rendered = new RenderedChat(renderer.Render(chat.Messages.Count), _specialTokens);
        return _encoder.Encode(rendered, turns.Finder.Find(renderer, rendered, chat.Messages), maximumCount);
    }

    /// <summary>Encodes a chat that the assistant is to continue.</summary>
    /// <param name="messages">The messages so far.</param>
    /// <returns>The ids, up to where the assistant's words begin; generate from here until <see cref="EndOfTurnId"/>.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="messages"/> is null.</exception>
    /// <exception cref="ArgumentException">There is no message, or one has a role that is not known.</exception>
    /// <exception cref="InvalidDataException">The template refuses the chat, or does not fit it.</exception>
    public IReadOnlyList<int> EncodePrompt(IReadOnlyList<ChatMessage> messages) => EncodePrompt(new ChatConversation(messages));

    /// <summary>Encodes a chat that the assistant is to continue, with the tools that it may have; see <see cref="EncodePrompt(IReadOnlyList{ChatMessage})"/>.</summary>
    public IReadOnlyList<int> EncodePrompt(ChatConversation chat)
    {
        (_, ChatRenderer renderer) = Open(chat);
        return _encoder.Encode(new RenderedChat(renderer.RenderPrompt(chat.Messages.Count), _specialTokens), [], int.MaxValue).Ids;
    }

    private (TemplateTurns Turns, ChatRenderer Renderer) Open(ChatConversation chat)
    {
        Check(chat.Messages);
        TemplateTurns turns = chat.Tools is null ? _plain : _withTools.Value;
        return (turns, new ChatRenderer(turns.Template, new ChatVariables(chat, _tokenizer.NamedTokens), _clock.GetLocalNow()));
    }

    private TemplateTurns CreateTurns(string name, string source, JsonElement? tools) =>
        TemplateTurns.Create(JinjaTemplate.Parse(source, name), _tokenizer, _specialTokens, new ProbeSettings(_clock.GetLocalNow(), tools));

    private static void Check(IReadOnlyList<ChatMessage> messages)
    {
        ArgumentNullException.ThrowIfNull(messages);
        if (messages.Count == 0)
            throw new ArgumentException("A chat needs at least one message.", nameof(messages));

        for (int i = 0; i < messages.Count; i++)
        {
            if (!ChatMessage.Roles.Contains(messages[i].Role))
                throw new ArgumentException($"Message {i} has the role '{messages[i].Role}'; known are {string.Join(", ", ChatMessage.Roles)}.", nameof(messages));
        }
    }
}
