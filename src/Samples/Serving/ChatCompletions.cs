using System.Text.Json;
using Microsoft.Extensions.AI;
using MLNetExtension.Files;
using MLNetExtension.Generation;

namespace Samples.Serving;

/// <summary><c>/v1/chat/completions</c>: a chat client's answers in OpenAI's format.</summary>
internal sealed class ChatCompletions(ServedModel model)
{
    public async Task AnswerAsync(Exchange exchange)
    {
        using IChatClient chat = model.CreateChatClient();
        (ChatMessage[] messages, GenerationOptions generation, bool isStream, bool withUsage) = await exchange.ReadAsync(Read);
        using IDisposable place = model.Enter(texts: 1);
        IAsyncEnumerable<ChatResponseUpdate> updates = chat.GetStreamingResponseAsync(messages, new() { RawRepresentationFactory = _ => generation }, exchange.Ended);
        string id = $"chatcmpl-{Guid.NewGuid():N}";
        if (!isStream)
        {
            ChatResponse answer = await updates.ToChatResponseAsync(exchange.Ended);
            object message = new { Role = "assistant", Content = answer.Text, Refusal = (string?)null };
            object[] choices = [new { Index = 0, Message = message, Logprobs = (object?)null, FinishReason = answer.FinishReason?.Value }];
            await exchange.WriteAsync(new { Id = id, Object = "chat.completion", exchange.Created, Model = model.Name, Choices = choices, Usage = Count(answer.Usage!) });
            return;
        }

        await WriteChunkAsync([CreateChoice(new { Role = "assistant", Content = "" })]);
        await foreach (ChatResponseUpdate update in updates)
        {
            if (update.Text.Length > 0)
                await WriteChunkAsync([CreateChoice(new { Content = update.Text })]);
            if (update.Contents is not [UsageContent { Details: { } usage }])
                continue;
            object counts = Count(usage);
            await WriteChunkAsync([CreateChoice(new { }, update.FinishReason?.Value)]);
            if (withUsage)
                await WriteChunkAsync([], counts);
        }
        await exchange.WriteEventAsync(null);

        object Count(UsageDetails usage) => model.Count(usage.InputTokenCount!.Value, usage.OutputTokenCount!.Value);

        Task WriteChunkAsync(object[] choices, object? usage = null) =>
            exchange.WriteEventAsync(new { Id = id, Object = "chat.completion.chunk", exchange.Created, Model = model.Name, Choices = choices, Usage = usage });

        static object CreateChoice(object delta, string? reason = null) => new { Index = 0, Delta = delta, Logprobs = (object?)null, FinishReason = reason };
    }

    private (ChatMessage[], GenerationOptions, bool, bool) Read(JsonObjectReader request)
    {
        int most = model.Settings.MaximumTokens;
        int tokens = request.FindInteger("max_completion_tokens", 1, most) ?? request.GetInteger("max_tokens", most, 1, most);
        request.Require("tools", "[]");
        request.Require("tool_choice", "\"none\"", "\"auto\"");
        request.Require("response_format", """{"type":"text"}""");
        request.Require("logprobs", "false");
        (GenerationOptions options, bool isStream, bool withUsage) = model.Read(request, tokens);
        return ([.. request.GetObjects("messages").Select(ReadMessage)], options, isStream, withUsage);
    }

    private static ChatMessage ReadMessage(JsonObjectReader message)
    {
        // "developer" is what newer clients call the system.
        string role = message.GetString("role") is var given && given == "developer" ? "system" : given;
        IReadOnlyList<JsonObjectReader> parts = message.Find("content") is { ValueKind: JsonValueKind.Array } ? message.GetObjects("content") : [];
        foreach (JsonObjectReader part in parts)
            part.Require("type", "\"text\"");
        string content = parts.Count > 0 ? string.Concat(parts.Select(part => part.GetString("text"))) : message.GetString("content");
        message.RefuseUnread();
        return new ChatMessage(new ChatRole(role), content);
    }
}
