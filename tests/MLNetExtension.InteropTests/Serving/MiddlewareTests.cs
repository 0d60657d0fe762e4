using Microsoft.Agents.AI;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.Caching.Memory;
using Microsoft.Extensions.Options;
using Microsoft.ML;
using Samples.Jobs;

namespace MLNetExtension.InteropTests.Serving;

/// <summary>The chat client under Microsoft.Extensions.AI's middleware and in Microsoft's agents.</summary>
[TestClass]
public sealed class MiddlewareTests
{
    [TestMethod]
    public async Task A_pipeline_of_middleware_changes_options_caches_and_calls_no_functions()
    {
        using Model model = new();
        IDistributedCache cache = new MemoryDistributedCache(Options.Create(new MemoryDistributedCacheOptions()));
        using IChatClient chat = model.Transformer.AsChatClient("small").AsBuilder()
            .UseDistributedCache(cache)
            .UseFunctionInvocation()
            .ConfigureOptions(options => options.MaxOutputTokens = 6)
            .Build();

        ChatResponse first = await chat.GetResponseAsync("Hello?"), again = await chat.GetResponseAsync("Hello?");
        ChatResponse streamed = await chat.GetStreamingResponseAsync("Hello there?").ToChatResponseAsync();

        Assert.IsLessThanOrEqualTo(6L, first.Usage!.OutputTokenCount!.Value);
        Assert.AreEqual((first.Text, first.ResponseId), (again.Text, again.ResponseId), "the second came from the cache");
        Assert.AreNotEqual(first.ResponseId, (await model.Transformer.AsChatClient().GetResponseAsync("Hello?", new() { MaxOutputTokens = 6 })).ResponseId);
        Assert.IsLessThanOrEqualTo(6L, streamed.Usage!.OutputTokenCount!.Value);
        Assert.AreSame(model.Transformer, chat.GetService<CausalLanguageModelTransformer>());
        Assert.AreEqual("small", chat.GetService<ChatClientMetadata>()!.DefaultModelId);
        NotSupportedException error = await Assert.ThrowsExactlyAsync<NotSupportedException>(() => chat.GetResponseAsync("Hello?", new() { Tools = [AIFunctionFactory.Create(() => 1, "one")] }));
        Assert.Contains("ChatOptions.Tools", error.Message);
    }

    // An agent keeps the conversation: its second answer is to all that was said.
    [TestMethod]
    public async Task An_agent_keeps_a_conversation()
    {
        using Model model = new();
        using IChatClient chat = model.Transformer.AsChatClient();
        ChatOptions options = new() { Temperature = 0, MaxOutputTokens = 10, Instructions = "Be brief." };
        ChatClientAgent agent = new(chat, new ChatClientAgentOptions { Name = "small", ChatOptions = options });
        AgentSession session = await agent.CreateSessionAsync();

        string first = (await agent.RunAsync("How are you?", session)).Text;
        string second = "";
        await foreach (AgentResponseUpdate update in agent.RunStreamingAsync("And now?", session))
            second += update.Text;

        ChatOptions bare = new() { Temperature = 0, MaxOutputTokens = 10 };
        List<ChatMessage> messages = [new(ChatRole.System, "Be brief."), new(ChatRole.User, "How are you?")];
        Assert.AreEqual((await chat.GetResponseAsync(messages, bare)).Text, first);
        messages.AddRange([new(ChatRole.Assistant, first), new(ChatRole.User, "And now?")]);
        Assert.AreEqual((await chat.GetResponseAsync(messages, bare)).Text, second);
    }

    private sealed class Model : IDisposable
    {
        private readonly string _folder = Directory.CreateTempSubdirectory("chat-").FullName;
        private readonly TrainedModel _model;

        public Model() => _model = TrainedModel.Open(new MLContext(seed: 1), SmallChatModel.Write(_folder));

        public CausalLanguageModelTransformer Transformer => _model.LanguageModel;

        public void Dispose()
        {
            _model.Dispose();
            Directory.Delete(_folder, recursive: true);
        }
    }
}
