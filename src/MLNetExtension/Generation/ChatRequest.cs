using Microsoft.Extensions.AI;
using Turn = MLNetExtension.Tokenization.Chat.ChatMessage;

namespace MLNetExtension.Generation;

/// <summary>What a chat client is asked for, in this library's terms.</summary>
/// <param name="Messages">The messages in order.</param>
/// <param name="Options">How to generate the answer.</param>
internal sealed record ChatRequest(IReadOnlyList<Turn> Messages, GenerationOptions Options)
{
    private const string SystemRole = "system";

    /// <summary>Reads a request, and refuses what cannot be done.</summary>
    /// <param name="messages">The messages; of text alone.</param>
    /// <param name="options">The options; null for none. Those that are not named here are ignored, as the abstraction allows: <see cref="ChatOptions.AllowMultipleToolCalls"/> and additional properties.
    /// <see cref="ChatOptions.RawRepresentationFactory"/> may give <see cref="GenerationOptions"/>, which the others are laid over.</param>
    /// <param name="client">The client that is asked.</param>
    /// <param name="modelId">Its model.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    /// <exception cref="NotSupportedException">A message holds something other than text, or an option cannot be heeded; the message names it.</exception>
    public static ChatRequest Read(IEnumerable<ChatMessage> messages, ChatOptions? options, IChatClient client, string modelId)
    {
        ArgumentNullException.ThrowIfNull(messages);
        List<Turn> turns = [.. messages.Select(ReadMessage)];
        AddInstructions(turns, options?.Instructions);
        return new ChatRequest(turns, options is null ? WithoutLimit : ReadOptions(options, client, modelId));
    }

    // An answer ends where it is complete, or where it fills the context.
    private static GenerationOptions WithoutLimit => new() { MaximumNewTokens = int.MaxValue };

    private static Turn ReadMessage(ChatMessage message, int index)
    {
        if (message is null)
            throw new ArgumentException($"Message {index} is null.", "messages");
        AIContent? other = message.Contents.FirstOrDefault(content => content is not TextContent);
        return other is null ? new Turn(message.Role.Value, message.Text)
            : throw new NotSupportedException($"Message {index} holds {other.GetType().Name}; this model reads text alone.");
    }

    // Templates have room for one system message, at the start.
    private static void AddInstructions(List<Turn> turns, string? instructions)
    {
        if (string.IsNullOrWhiteSpace(instructions))
            return;
        if (turns is [{ Role: SystemRole } first, ..])
            turns[0] = new Turn(SystemRole, $"{instructions}\n\n{first.Content}");
        else
            turns.Insert(0, new Turn(SystemRole, instructions));
    }

    private static GenerationOptions ReadOptions(ChatOptions options, IChatClient client, string modelId)
    {
        RefuseUnsupported(options, modelId);
        const string group = nameof(ChatOptions);
        Require.That(options.MaxOutputTokens is null or >= 1, options.MaxOutputTokens, "null, or at least 1", group, nameof(options.MaxOutputTokens));
        Require.That(options.Temperature is null or (>= 0 and <= (float)Require.LargestNumber), options.Temperature, "null, or from 0 to 1E+30", group, nameof(options.Temperature));
        Require.That(options.TopP is null or (> 0 and <= 1), options.TopP, "null, or above 0 and at most 1", group, nameof(options.TopP));
        Require.That(options.TopK is null or >= 1, options.TopK, "null, or at least 1", group, nameof(options.TopK));
        Require.That(options.StopSequences?.Any(string.IsNullOrEmpty) != true, options.StopSequences, "null, or strings that are not empty", group, nameof(options.StopSequences));

        GenerationOptions given = options.RawRepresentationFactory?.Invoke(client) as GenerationOptions ?? WithoutLimit;
        return given with
        {
            MaximumNewTokens = options.MaxOutputTokens ?? given.MaximumNewTokens,
            Temperature = options.Temperature ?? given.Temperature,
            TopP = options.TopP ?? given.TopP,
            TopK = options.TopK ?? given.TopK,
            StopStrings = options.StopSequences is null ? given.StopStrings : [.. options.StopSequences],
            // Folded to 32 bits; those from 0 to 2,147,483,647 stay as they are.
            Seed = options.Seed is { } seed ? unchecked((int)(seed ^ (seed >> 32))) : given.Seed,
        };
    }

    private static void RefuseUnsupported(ChatOptions options, string modelId)
    {
        bool hasTools = options.Tools is { Count: > 0 } && options.ToolMode is not NoneChatToolMode;
        Refuse(options.FrequencyPenalty is not (null or 0), nameof(options.FrequencyPenalty), "use RepetitionPenalty of GenerationOptions, through RawRepresentationFactory");
        Refuse(options.PresencePenalty is not (null or 0), nameof(options.PresencePenalty), "use RepetitionPenalty of GenerationOptions, through RawRepresentationFactory");
        Refuse(options.ResponseFormat is not (null or ChatResponseFormatText), nameof(options.ResponseFormat), "answers are text, and no other form can be promised");
        Refuse(hasTools || options.ToolMode is RequiredChatToolMode, nameof(options.Tools), "this client calls no functions");
        Refuse(options.ConversationId is not null, nameof(options.ConversationId), "this client keeps no conversations; every request brings all of its messages");
        Refuse(options.ModelId is not null && options.ModelId != modelId, nameof(options.ModelId), $"this client has one model, '{modelId}'");
    }

    private static void Refuse(bool isGiven, string option, string reason)
    {
        if (isGiven)
            throw new NotSupportedException($"{nameof(ChatOptions)}.{option} is not supported: {reason}.");
    }
}
