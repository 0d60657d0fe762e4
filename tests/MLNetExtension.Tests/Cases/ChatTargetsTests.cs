using System.Text.Json;
using Microsoft.ML;
using MLNetExtension.Tests.MLNet;
using MLNetExtension.Tests.Samples;
using MLNetExtension.Tests.Tokenization;
using MLNetExtension.Tokenization;
using MLNetExtension.Tokenization.Chat;
using MLNetExtension.Tokenization.HuggingFace;

namespace MLNetExtension.Tests.Cases;

/// <summary>What of a chat is trained on.</summary>
[TestClass]
public sealed class ChatTargetsTests
{
    // As Qwen 2 publishes it: no {% generation %} in it.
    private const string WithoutMarks = "{% for m in messages %}{{'<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n'}}{% endfor %}";

    // As Qwen 3 publishes it, in short: it puts an empty block of thoughts in front of an answer that has none.
    private const string WithThoughts =
        "{% for m in messages %}{% if m['role'] == 'assistant' %}{{'<|im_start|>assistant\n<think>\n\n</think>\n\n' + m['content'] + '<|im_end|>\n'}}{% else %}"
        + "{{'<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n'}}{% endif %}{% endfor %}";

    private static readonly ChatMessage[] Chat = [new("user", "so?"), new("assistant", "yes it is"), new("user", "and?"), new("assistant", "no")];

    // CASES 45: marin #7237, Megatron-Bridge #3927.
    [TestMethod]
    public void A_template_without_generation_marks_has_the_assistant_s_words_as_targets_not_none_and_not_all()
    {
        HuggingFaceTokenizer tokenizer = With(WithoutMarks);
        ChatTokens tokens = new ChatTemplate(tokenizer).Encode(Chat);

        Assert.AreEqual("yes it is<|im_end|>no<|im_end|>", Targets(tokenizer, tokens));
        Assert.Contains(false, tokens.IsTarget);
        Assert.DoesNotContain(true, new ChatTemplate(tokenizer).Encode([Chat[0]]).IsTarget, "nobody has answered");
    }

    // CASES 45: a chat that trains on nothing must not pass without a word.
    [TestMethod]
    public void Chats_in_which_the_assistant_says_nothing_are_reported()
    {
        using TemporaryFolder folder = new();
        TokenizerFolder.Save(With(WithoutMarks), folder.Path);
        MLContext mlContext = new(seed: 1);
        var lines = new List<string>();
        mlContext.Log += (_, line) => lines.Add(line.Message);
        var options = Tiny.Options(steps: 1);
        options.Model = LanguageModel.Gpt2(layers: 1, heads: 2, width: 16, contextLength: 64, tokenizerFolder: folder.Path);
        options.Columns = InputColumns.Chat("Text");
        var trainer = mlContext.CausalLanguageModeling.Trainers.CausalLanguageModel(options);

        trainer.Fit(Tiny.Rows(mlContext, Json(Chat), Json(Chat[0]))).Dispose();
        Assert.ContainsSingle(line => line.Contains("Warning") && line.Contains("1 of 2 rows are skipped: the assistant says nothing in them"), lines);
        StringAssert.Contains(Assert.ThrowsExactly<InvalidOperationException>(() => trainer.Fit(Tiny.Rows(mlContext, Json(Chat[0])))).Message, "none of the 1 rows of columns 'Text' has a target token");
    }

    // CASES 46: Automodel #3739.
    [TestMethod]
    public void Thoughts_that_the_template_inserts_are_not_trained_on_and_those_of_the_data_are()
    {
        HuggingFaceTokenizer tokenizer = With(WithThoughts);
        ChatTemplate template = new(tokenizer);

        Assert.AreEqual("yes it is<|im_end|>no<|im_end|>", Targets(tokenizer, template.Encode(Chat)));
        ChatMessage thinking = new("assistant", "<think>\nhm\n</think>\n\nyes");
        Assert.AreEqual(thinking.Content + "<|im_end|>", Targets(tokenizer, template.Encode([Chat[0], thinking])));
    }

    private static string Targets(HuggingFaceTokenizer tokenizer, ChatTokens tokens) => tokenizer.Decode(tokens.Ids.Where((_, i) => tokens.IsTarget[i]), considerSpecialTokens: true);

    private static string Json(params ChatMessage[] messages) => JsonSerializer.Serialize(messages.Select(message => new { role = message.Role, content = message.Content }));

    private static HuggingFaceTokenizer With(string template) => HuggingFaceTokenizer.Create(
    [
        Golden.Tokenizer("qwen2").Files[0],
        new TokenizerFile("tokenizer_config.json", JsonSerializer.SerializeToUtf8Bytes(new Dictionary<string, string> { ["eos_token"] = "<|endoftext|>", ["chat_template"] = template })),
    ]);
}
