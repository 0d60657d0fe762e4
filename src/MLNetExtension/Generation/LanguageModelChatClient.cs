using System.Runtime.CompilerServices;
using System.Text;
using Microsoft.Extensions.AI;
using MLNetExtension.Tokenization.Chat;
using ChatMessage = Microsoft.Extensions.AI.ChatMessage;

namespace MLNetExtension.Generation;

/// <summary>A language model that answers chats. Any number of conversations may go on at the same time; their answers are generated in one batch, each as it would be alone.</summary>
/// <remarks>
/// <para>It keeps nothing of a conversation: every request brings all of its messages. What a request may ask for is in <see cref="ChatRequest"/>. A prompt that fills the context is refused, and an answer ends, with
/// <see cref="ChatFinishReason.Length"/>, where it fills it.</para>
/// <para>Counted are all ids that the model reads, those of the template included, and all that it chooses, the one that ends its turn included.</para>
/// </remarks>
/// <param name="template">Lays out the messages.</param>
/// <param name="generator">Starts texts; it knows the id that ends a turn.</param>
/// <param name="batch">Generates them.</param>
/// <param name="modelId">What the model is called.</param>
/// <param name="model">What <see cref="GetService"/> gives to those who ask for its type. It stays its owner's.</param>
internal sealed class LanguageModelChatClient(ChatTemplate template, TextGenerator generator, RunningBatch batch, string modelId, object model) : IChatClient
{
    private readonly ChatClientMetadata _metadata = new(providerName: "MLNetExtension", defaultModelId: modelId);
    private volatile bool _disposed;

    /// <inheritdoc/>
    public async Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        TextContinuation text = Start(messages, options);
        StringBuilder answer = new();
        await foreach (GeneratedToken token in batch.GenerateAsync(text, cancellationToken).ConfigureAwait(false))
            answer.Append(token.Text);

        string id = CreateId();
        return new ChatResponse(new ChatMessage(ChatRole.Assistant, answer.ToString()) { MessageId = id })
        {
            ResponseId = id,
            ModelId = modelId,
            CreatedAt = DateTimeOffset.UtcNow,
            FinishReason = ReasonOf(text),
            Usage = UsageOf(text),
        };
    }

    /// <inheritdoc/>
    public IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) =>
        StreamAsync(Start(messages, options), cancellationToken);

    /// <inheritdoc/>
    public object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        if (serviceKey is not null)
            return null;
        return new object[] { this, _metadata, model }.FirstOrDefault(serviceType.IsInstanceOfType);
    }

    /// <summary>Refuses later requests. The model stays as it is, and answers under way go on.</summary>
    public void Dispose() => _disposed = true;

    // Checked before the iterator, which only runs when its first update is read.
    private TextContinuation Start(IEnumerable<ChatMessage> messages, ChatOptions? options)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        ChatRequest request = ChatRequest.Read(messages, options, this, modelId);
        return generator.Start(template.EncodePrompt(request.Messages), request.Options);
    }

    private async IAsyncEnumerable<ChatResponseUpdate> StreamAsync(TextContinuation text, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        string id = CreateId();
        DateTimeOffset created = DateTimeOffset.UtcNow;
        await foreach (GeneratedToken token in batch.GenerateAsync(text, cancellationToken).ConfigureAwait(false))
        {
            if (token.Text.Length > 0)
                yield return CreateUpdate(new TextContent(token.Text));
        }
        ChatResponseUpdate last = CreateUpdate(new UsageContent(UsageOf(text)));
        last.FinishReason = ReasonOf(text);
        yield return last;

        ChatResponseUpdate CreateUpdate(AIContent content) => new(ChatRole.Assistant, [content]) { ResponseId = id, MessageId = id, ModelId = modelId, CreatedAt = created };
    }

    private static string CreateId() => $"chatcmpl-{Guid.NewGuid():N}";

    private static ChatFinishReason ReasonOf(TextContinuation text) => text.Finished == FinishReason.MaximumTokens ? ChatFinishReason.Length : ChatFinishReason.Stop;

    private static UsageDetails UsageOf(TextContinuation text) => new()
    {
        InputTokenCount = text.PromptCount,
        OutputTokenCount = text.ChosenCount,
        TotalTokenCount = text.PromptCount + text.ChosenCount,
    };
}
