using Microsoft.Extensions.AI;
using MLNetExtension.Generation;
using MLNetExtension.MLNet.Archive;
using MLNetExtension.Tests.Evaluation;
using MLNetExtension.Tokenization.Bytes;
using MLNetExtension.Tokenization.Chat;
using static MLNetExtension.Tests.Generation.ChatModels;
using static TorchSharp.torch;
using ChatMessage = Microsoft.Extensions.AI.ChatMessage;
using Turn = MLNetExtension.Tokenization.Chat.ChatMessage;

namespace MLNetExtension.Tests.Generation;

/// <summary>A trained model as an <see cref="IChatClient"/>.</summary>
[TestClass]
internal sealed class ChatClientTests
{
    [TestMethod]
    public async Task An_answer_is_what_the_model_makes_of_the_template_s_prompt()
    {
        using CausalLanguageModelTransformer model = RandomModel();
        using IChatClient chat = model.AsChatClient();
        ChatMessage[] messages = [new(ChatRole.System, "Be brief."), new(ChatRole.User, "How are you?"), new(ChatRole.Assistant, "Well."), new(ChatRole.User, "Good.")];
        ChatOptions options = new() { Temperature = 0.5f, TopK = 20, TopP = 0.75f, Seed = 11, MaxOutputTokens = 12, StopSequences = ["\0\0\0"] };

        ChatResponse answer = await chat.GetResponseAsync(messages, options);

        IReadOnlyList<int> prompt = new ChatTemplate(Tokenizer).EncodePrompt([new Turn("system", "Be brief."), new Turn("user", "How are you?"), new Turn("assistant", "Well."), new Turn("user", "Good.")]);
        TextGenerator generator = new(model.Scoring.Model.Network, Tokenizer, [TurnEnd]);
        string expected = generator.Generate(prompt, new() { Temperature = 0.5, TopK = 20, TopP = 0.75, Seed = 11, MaximumNewTokens = 12, StopStrings = ["\0\0\0"] });
        Assert.AreEqual(expected, answer.Text);
        Assert.AreNotEqual("", expected);
        Assert.AreEqual(ChatRole.Assistant, answer.Messages.Single().Role);
        Assert.AreEqual((prompt.Count, 12L, prompt.Count + 12L), (answer.Usage!.InputTokenCount, answer.Usage.OutputTokenCount, answer.Usage.TotalTokenCount));
        Assert.AreEqual((ChatFinishReason.Length, "gpt2"), (answer.FinishReason, answer.ModelId));
        Assert.IsNotNull(answer.ResponseId);

        Assert.AreNotEqual(expected, (await chat.GetResponseAsync(messages, With(options, o => o.Seed = 12))).Text, "the seed matters");
        Assert.AreNotEqual(expected, (await chat.GetResponseAsync(messages[1..], options)).Text, "every message matters");
    }

    // The token that ends the turn is chosen and counted, and is no text.
    [TestMethod]
    [DataRow(null, null, "Hi!", "stop", 4)]
    [DataRow(3, null, "Hi!", "length", 3)]
    [DataRow(2, null, "Hi", "length", 2)]
    [DataRow(null, "i!", "H", "stop", 3)]
    public async Task An_answer_says_why_it_ended_and_what_it_took(int? maximum, string? stop, string text, string reason, int tokens)
    {
        using CausalLanguageModelTransformer model = Scripted(SaysHi);
        using IChatClient chat = model.AsChatClient();
        ChatOptions options = new() { MaxOutputTokens = maximum, StopSequences = stop is null ? null : [stop] };

        ChatResponse answer = await chat.GetResponseAsync("x", options);
        List<ChatResponseUpdate> updates = await chat.GetStreamingResponseAsync("x", options).ToListAsync();
        ChatResponse streamed = updates.ToChatResponse();

        foreach (ChatResponse each in new[] { answer, streamed })
        {
            Assert.AreEqual(text, each.Text);
            Assert.AreEqual(reason, each.FinishReason?.Value);
            // <|im_start|> user \n x <|im_end|> \n <|im_start|> assistant \n
            Assert.AreEqual((1 + 4 + 1 + 1 + 1 + 1 + 1 + 9 + 1, (long?)tokens), ((int)each.Usage!.InputTokenCount!, each.Usage.OutputTokenCount));
            Assert.AreEqual(ChatRole.Assistant, each.Messages.Single().Role);
            Assert.AreEqual("gpt2", each.ModelId);
        }
        Assert.AreEqual(1, updates.Select(update => (update.ResponseId, update.MessageId)).Distinct().Count());
        Assert.IsTrue(updates.SkipLast(1).All(update => update.FinishReason is null && update.Text.Length > 0));
    }

    [TestMethod]
    public async Task An_answer_ends_where_the_context_is_full_and_a_prompt_that_fills_it_is_refused()
    {
        using CausalLanguageModelTransformer model = Scripted(('\n', 'a'), ('a', 'a'));
        using IChatClient chat = model.AsChatClient();

        ChatResponse answer = await chat.GetResponseAsync("x");

        Assert.AreEqual((ChatFinishReason.Length, 64L), (answer.FinishReason, answer.Usage!.TotalTokenCount));
        ArgumentException error = await Assert.ThrowsExactlyAsync<ArgumentException>(() => chat.GetResponseAsync(new string('x', 45)));
        Assert.Contains("The prompt has 64 tokens; the model's context holds 64", error.Message);
    }

    [TestMethod]
    public async Task A_piece_comes_before_the_next_token_is_computed()
    {
        using SemaphoreSlim allowed = new(1);
        using CausalLanguageModelTransformer model = Scripted(_ => allowed.Wait(), SaysHi);
        using IChatClient chat = model.AsChatClient();
        string text = "";
        await foreach (ChatResponseUpdate update in chat.GetStreamingResponseAsync("x"))
        {
            text += update.Text;
            allowed.Release();
        }
        Assert.AreEqual("Hi!", text);
    }

    [TestMethod]
    public async Task Conversations_at_the_same_time_get_what_each_gets_alone()
    {
        using CausalLanguageModelTransformer model = RandomModel();
        using IChatClient chat = model.AsChatClient(), other = model.AsChatClient("other");
        Task<string>[] Ask() => [.. Enumerable.Range(0, 16).Select(async i =>
            (await (i % 2 == 0 ? chat : other).GetResponseAsync(new string('q', i), new() { Seed = i, MaxOutputTokens = 5 + i % 3 })).Text)];

        List<string> alone = [];
        for (int i = 0; i < 16; i++)
            alone.Add((await chat.GetResponseAsync(new string('q', i), new() { Seed = i, MaxOutputTokens = 5 + i % 3 })).Text);

        CollectionAssert.AreEqual(alone, await Task.WhenAll(Ask()));
        Assert.IsGreaterThan(12, alone.Distinct().Count());
    }

    [TestMethod]
    public async Task A_cancelled_answer_ends()
    {
        using CausalLanguageModelTransformer model = Scripted(('\n', 'a'), ('a', 'a'));
        using IChatClient chat = model.AsChatClient();
        using CancellationTokenSource cancellation = new();
        int seen = 0;
        await Assert.ThrowsAsync<OperationCanceledException>(async () =>
        {
            await foreach (ChatResponseUpdate _ in chat.GetStreamingResponseAsync("x", cancellationToken: cancellation.Token))
            {
                seen++;
                await cancellation.CancelAsync();
            }
        });
        Assert.AreEqual(1, seen);
        await Assert.ThrowsAsync<OperationCanceledException>(() => chat.GetResponseAsync("x", cancellationToken: cancellation.Token));
        Assert.AreEqual(45L, (await chat.GetResponseAsync("x")).Usage!.OutputTokenCount + 1);
    }

    [TestMethod]
    public async Task Disposing_of_a_client_leaves_the_model_and_disposing_of_the_model_ends_the_client()
    {
        CausalLanguageModelTransformer model = Scripted(SaysHi);
        IChatClient chat = model.AsChatClient(), other = model.AsChatClient();
        chat.Dispose();
        await Assert.ThrowsExactlyAsync<ObjectDisposedException>(() => chat.GetResponseAsync("x"));
        Assert.ThrowsExactly<ObjectDisposedException>(() => chat.GetStreamingResponseAsync("x"));
        Assert.AreEqual("Hi!", (await other.GetResponseAsync("x")).Text);
        model.Dispose();
        await Assert.ThrowsExactlyAsync<ObjectDisposedException>(() => other.GetResponseAsync("x"));
        Assert.ThrowsExactly<ObjectDisposedException>(() => model.AsChatClient());
    }

    [TestMethod]
    public void It_gives_itself_its_metadata_and_the_model()
    {
        using CausalLanguageModelTransformer model = Scripted(SaysHi);
        using IChatClient chat = model.AsChatClient("my-model");
        Assert.AreSame(chat, chat.GetService<IChatClient>());
        Assert.AreSame(model, chat.GetService<CausalLanguageModelTransformer>());
        ChatClientMetadata metadata = chat.GetService<ChatClientMetadata>()!;
        Assert.AreEqual(("MLNetExtension", "my-model", null), (metadata.ProviderName, metadata.DefaultModelId, metadata.ProviderUri));
        Assert.IsNull(chat.GetService(typeof(string)));
        Assert.IsNull(chat.GetService(typeof(IChatClient), "key"));
        Assert.ThrowsExactly<ArgumentNullException>(() => chat.GetService(null!));
    }

    [TestMethod]
    public async Task Instructions_are_the_system_message_or_come_before_it()
    {
        using CausalLanguageModelTransformer model = RandomModel();
        using IChatClient chat = model.AsChatClient();
        ChatOptions options = new() { Instructions = "Be kind.", Seed = 1, MaxOutputTokens = 8 }, without = With(options, o => o.Instructions = null);
        ChatMessage user = new(ChatRole.User, "x");

        ChatResponse given = await chat.GetResponseAsync([user], options);
        ChatResponse joined = await chat.GetResponseAsync([new(ChatRole.System, "Be brief."), user], options);

        ChatResponse expected = await chat.GetResponseAsync([new(ChatRole.System, "Be kind."), user], without);
        ChatResponse expectedJoined = await chat.GetResponseAsync([new(ChatRole.System, "Be kind.\n\nBe brief."), user], without);
        Assert.AreEqual((expected.Text, expected.Usage!.InputTokenCount), (given.Text, given.Usage!.InputTokenCount));
        Assert.AreEqual((expectedJoined.Text, expectedJoined.Usage!.InputTokenCount), (joined.Text, joined.Usage!.InputTokenCount));
    }

    [TestMethod]
    public async Task Messages_that_the_model_cannot_read_are_refused()
    {
        using CausalLanguageModelTransformer model = Scripted(SaysHi);
        using IChatClient chat = model.AsChatClient();
        NotSupportedException error = await Assert.ThrowsExactlyAsync<NotSupportedException>(() => chat.GetResponseAsync(
            [new(ChatRole.User, "x"), new(ChatRole.User, [new TextContent("look"), new DataContent(new byte[] { 1 }, "image/png")])]));
        Assert.AreEqual("Message 1 holds DataContent; this model reads text alone.", error.Message);
        await Assert.ThrowsExactlyAsync<ArgumentNullException>(() => chat.GetResponseAsync((IEnumerable<ChatMessage>)null!));
        Assert.ThrowsExactly<ArgumentNullException>(() => chat.GetStreamingResponseAsync((IEnumerable<ChatMessage>)null!));
        await Assert.ThrowsAsync<ArgumentException>(() => chat.GetResponseAsync([]));
        await Assert.ThrowsAsync<ArgumentException>(() => chat.GetResponseAsync([new(new ChatRole("narrator"), "x")]));
    }

    [TestMethod]
    public void A_model_without_a_chat_template_is_no_chat_client()
    {
        using CausalLanguageModelTransformer model = new(new TrainedLanguageModel(TinyModels.Gpt2(ScalarType.Float32), new ByteLevelTokenizer()), new CausalLanguageModelTrainer.Options(), training: null);
        Assert.Contains("chat template", Assert.ThrowsExactly<NotSupportedException>(() => model.AsChatClient()).Message);
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => model.AsChatClient(""));
    }
}
