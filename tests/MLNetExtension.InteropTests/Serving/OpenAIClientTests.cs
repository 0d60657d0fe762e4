#pragma warning disable OPENAI001 // the seed
using System.ClientModel;
using System.ClientModel.Primitives;
using System.Text.Json.Nodes;
using Microsoft.Extensions.AI;
using OpenAI;
using OpenAI.Chat;
using OpenAI.Models;

namespace MLNetExtension.InteropTests.Serving;

/// <summary>OpenAI's own client against a served model.</summary>
[TestClass]
public sealed class OpenAIClientTests
{
    private static readonly ChatCompletionOptions _options = new() { MaxOutputTokenCount = 20, Temperature = 0.5f, TopP = 0.75f, Seed = 5, StopSequences = { "\0\0\0\0" } };

    // Against the chat client of the library.
    [TestMethod]
    public async Task A_chat_gets_the_model_s_answer_whole_and_streamed()
    {
        await using TestServer server = await TestServer.StartAsync();
        ChatClient client = Client(server).GetChatClient("small");
        OpenAI.Chat.ChatMessage[] messages = [new SystemChatMessage("Be brief."), new UserChatMessage("How"), new AssistantChatMessage("So"), new UserChatMessage("And?")];

        ChatCompletion answer = await client.CompleteChatAsync(messages, _options);
        List<StreamingChatCompletionUpdate> updates = await client.CompleteChatStreamingAsync(messages, _options).ToListAsync();

        using IChatClient own = server.Transformer.AsChatClient();
        ChatResponse expected = await own.GetResponseAsync(
            [new(ChatRole.System, "Be brief."), new(ChatRole.User, "How"), new(ChatRole.Assistant, "So"), new(ChatRole.User, "And?")],
            new() { MaxOutputTokens = 20, Temperature = 0.5f, TopP = 0.75f, Seed = 5, StopSequences = ["\0\0\0\0"] });
        Assert.AreEqual(expected.Text, answer.Content.Single().Text);
        Assert.AreEqual(expected.Text, string.Concat(updates.SelectMany(update => update.ContentUpdate).Select(part => part.Text)));
        Assert.IsGreaterThan(5, updates.Count(update => update.ContentUpdate.Count > 0), "it came in pieces");
        Assert.AreEqual(ChatMessageRole.Assistant, answer.Role);
        (long? Read, long? Chosen) usage = (expected.Usage!.InputTokenCount, expected.Usage.OutputTokenCount);
        Assert.AreEqual(usage, (answer.Usage.InputTokenCount, answer.Usage.OutputTokenCount));
        ChatTokenUsage streamed = updates.Single(update => update.Usage is not null).Usage;
        Assert.AreEqual(usage, (streamed.InputTokenCount, streamed.OutputTokenCount));
        Assert.AreEqual(expected.FinishReason == Microsoft.Extensions.AI.ChatFinishReason.Length ? OpenAI.Chat.ChatFinishReason.Length : OpenAI.Chat.ChatFinishReason.Stop, answer.FinishReason);
        Assert.AreEqual(answer.FinishReason, updates.Single(update => update.FinishReason is not null).FinishReason);
        Assert.AreEqual("small", answer.Model);

        ChatCompletion other = await client.CompleteChatAsync(messages, new ChatCompletionOptions { MaxOutputTokenCount = 20, Temperature = 0.5f, TopP = 0.75f, Seed = 6 });
        Assert.AreNotEqual(answer.Content.Single().Text, other.Content.Single().Text, "the seed matters");
    }

    [TestMethod]
    public async Task The_models_are_listed()
    {
        await using TestServer server = await TestServer.StartAsync();
        OpenAIModelCollection models = await Client(server).GetOpenAIModelClient().GetModelsAsync();
        Assert.AreEqual("small", models.Single().Id);
        OpenAIModel model = await Client(server).GetOpenAIModelClient().GetModelAsync("small");
        Assert.AreEqual("MLNetExtension", model.OwnedBy);
    }

    [TestMethod]
    public async Task Errors_come_as_the_client_expects_them()
    {
        await using TestServer server = await TestServer.StartAsync(settings => settings with { ApiKey = "secret" });
        Assert.Contains("The model 'gpt-4' does not exist; this server has 'small'.", await FailAsync(404, "secret", "gpt-4", new()));
        Assert.Contains("The API key is missing or wrong", await FailAsync(401, "other", "small", new()));
        Assert.Contains("'max_completion_tokens' is 5000, expected at most 256", await FailAsync(400, "secret", "small", new() { MaxOutputTokenCount = 5000 }));
        Assert.Contains("'tools' is", await FailAsync(400, "secret", "small", new() { Tools = { ChatTool.CreateFunctionTool("f") } }));
        Assert.Contains("'frequency_penalty' is 1, which is not supported", await FailAsync(400, "secret", "small", new() { FrequencyPenalty = 1 }));
        Assert.Contains("'response_format' is", await FailAsync(400, "secret", "small", new() { ResponseFormat = OpenAI.Chat.ChatResponseFormat.CreateJsonObjectFormat() }));
        Assert.Contains("The prompt has ", await FailAsync(400, "secret", "small", new(), new string('x', 600)));
        Assert.AreEqual((0L, 0L), server.Model.Done, "nothing was generated");

        async Task<string> FailAsync(int status, string key, string model, ChatCompletionOptions options, string text = "x")
        {
            ClientResultException error = await Assert.ThrowsExactlyAsync<ClientResultException>(() => Client(server, key).GetChatClient(model).CompleteChatAsync([new UserChatMessage(text)], options));
            Assert.AreEqual(status, error.Status, error.Message);
            JsonNode body = JsonNode.Parse(error.GetRawResponse()!.Content)!["error"]!;
            Assert.AreEqual("invalid_request_error", (string?)body["type"]);
            return (string)body["message"]!;
        }
    }

    private static OpenAIClient Client(TestServer server, string key = "none") =>
        new(new ApiKeyCredential(key), new OpenAIClientOptions { Endpoint = new Uri($"{server.Address}/v1"), RetryPolicy = new ClientRetryPolicy(maxRetries: 0) });
}
