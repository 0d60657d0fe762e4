using System.Text.Json;
using Microsoft.Extensions.AI;
using MLNetExtension.Generation;
using MLNetExtension.Tokenization.Chat;
using static MLNetExtension.Tests.Generation.ChatModels;
using Turn = MLNetExtension.Tokenization.Chat.ChatMessage;

namespace MLNetExtension.Tests.Generation;

/// <summary>What a chat client makes of the options of a request.</summary>
[TestClass]
internal sealed class ChatOptionsTests
{
    public static IEnumerable<object[]> Refused =>
    [
        ["FrequencyPenalty", (Action<ChatOptions>)(o => o.FrequencyPenalty = 1)],
        ["PresencePenalty", (Action<ChatOptions>)(o => o.PresencePenalty = -1)],
        ["ResponseFormat", (Action<ChatOptions>)(o => o.ResponseFormat = ChatResponseFormat.Json)],
        ["Tools", (Action<ChatOptions>)(o => o.Tools = [AIFunctionFactory.CreateDeclaration("f", null, JsonElement.Parse("{}"))])],
        ["Tools", (Action<ChatOptions>)(o => o.ToolMode = ChatToolMode.RequireAny)],
        ["ConversationId", (Action<ChatOptions>)(o => o.ConversationId = "c")],
        ["ModelId", (Action<ChatOptions>)(o => o.ModelId = "gpt-4")],
    ];

    [TestMethod]
    [DynamicData(nameof(Refused))]
    public async Task What_cannot_be_done_is_refused_by_name(string option, Action<ChatOptions> set)
    {
        using CausalLanguageModelTransformer model = Scripted(SaysHi);
        using IChatClient chat = model.AsChatClient();
        NotSupportedException error = await Assert.ThrowsExactlyAsync<NotSupportedException>(() => chat.GetResponseAsync("x", With(new(), set)));
        StringAssert.StartsWith(error.Message, $"ChatOptions.{option} is not supported: ");
        Assert.ThrowsExactly<NotSupportedException>(() => chat.GetStreamingResponseAsync("x", With(new(), set)), "before the first update is asked for");
    }

    public static IEnumerable<object[]> OutOfRange =>
    [
        ["ChatOptions.MaxOutputTokens is 0; allowed is null, or at least 1.", (Action<ChatOptions>)(o => o.MaxOutputTokens = 0)],
        ["ChatOptions.Temperature is -1; allowed is null, or from 0 to 1E+30.", (Action<ChatOptions>)(o => o.Temperature = -1)],
        ["ChatOptions.Temperature is NaN; allowed is null, or from 0 to 1E+30.", (Action<ChatOptions>)(o => o.Temperature = float.NaN)],
        ["ChatOptions.TopP is 1.5; allowed is null, or above 0 and at most 1.", (Action<ChatOptions>)(o => o.TopP = 1.5f)],
        ["ChatOptions.TopK is 0; allowed is null, or at least 1.", (Action<ChatOptions>)(o => o.TopK = 0)],
        ["ChatOptions.StopSequences is [a, ]; allowed is null, or strings that are not empty.", (Action<ChatOptions>)(o => o.StopSequences = ["a", ""])],
        ["RepetitionPenalty is 0; allowed is from 1.18E-38 to 1E+30.", (Action<ChatOptions>)(o => o.RawRepresentationFactory = _ => new GenerationOptions { RepetitionPenalty = 0 })],
    ];

    [TestMethod]
    [DynamicData(nameof(OutOfRange))]
    public async Task An_option_out_of_its_range_is_named(string message, Action<ChatOptions> set)
    {
        using CausalLanguageModelTransformer model = Scripted(SaysHi);
        using IChatClient chat = model.AsChatClient();
        var error = await Assert.ThrowsExactlyAsync<ArgumentOutOfRangeException>(() => chat.GetResponseAsync("x", With(new(), set)));
        StringAssert.StartsWith(error.Message, message);
    }

    // Penalties of 0 are none, tools that may not be called are none, and the contract lets a client ignore the rest.
    [TestMethod]
    public async Task What_asks_for_nothing_is_no_hindrance()
    {
        using CausalLanguageModelTransformer model = Scripted(SaysHi);
        using IChatClient chat = model.AsChatClient();
        ChatOptions options = new()
        {
            FrequencyPenalty = 0,
            PresencePenalty = 0,
            ResponseFormat = ChatResponseFormat.Text,
            Tools = [AIFunctionFactory.CreateDeclaration("f", null, JsonElement.Parse("{}"))],
            ToolMode = ChatToolMode.None,
            AllowMultipleToolCalls = true,
            ModelId = "gpt2",
            Seed = long.MaxValue,
            AdditionalProperties = new() { ["x"] = 1 },
        };
        Assert.AreEqual("Hi!", (await chat.GetResponseAsync("x", options)).Text);
    }

    [TestMethod]
    public async Task Options_of_the_library_s_own_are_given_through_the_raw_representation()
    {
        using CausalLanguageModelTransformer model = RandomModel();
        using IChatClient chat = model.AsChatClient();
        GenerationOptions own = new() { Temperature = 2, MinP = 0.1, RepetitionPenalty = 1.5, Seed = 3, MaximumNewTokens = 10 };
        ChatOptions options = new() { RawRepresentationFactory = _ => own, Temperature = 1 };

        string answer = (await chat.GetResponseAsync("x", options)).Text;

        IReadOnlyList<int> prompt = new ChatTemplate(Tokenizer).EncodePrompt([new Turn("user", "x")]);
        TextGenerator generator = new(model.Scoring.Model.Network, Tokenizer, [TurnEnd]);
        Assert.AreEqual(generator.Generate(prompt, own with { Temperature = 1 }), answer);
        Assert.AreNotEqual(generator.Generate(prompt, own), answer);
    }
}
