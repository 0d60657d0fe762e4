using System.Text;
using MLNetExtension.Data;
using MLNetExtension.Tests.Tokenization;
using MLNetExtension.Tokenization.Chat;
using MLNetExtension.Tokenization.HuggingFace;

namespace MLNetExtension.Tests.Data;

[TestClass]
public sealed class ChatExampleTests
{
    private const string Json = """[{"role":"user","content":"Hello"},{"role":"assistant","content":"Grüß dich"},{"role":"user","content":"Bye"},{"content":"Bye","role":"assistant"}]""";

    private static readonly HuggingFaceTokenizer Tokenizer = Golden.Tokenizer("llama3");

    // Seen to fail with targets that are not shifted, and with the end of the user's turn trained on.
    [TestMethod]
    public void Targets_are_the_next_tokens_of_the_assistant_s_turns()
    {
        TokenExample example = Encoder(1000).Encode(ChatMessages.Parse(Json, 3), 3);

        int[] targets = [.. example.Targets.Where(target => target != TokenExample.IgnoredTarget)];
        Assert.AreEqual("Grüß dich<|eot_id|>Bye<|eot_id|>", Tokenizer.Decode(targets, considerSpecialTokens: true));
        Assert.IsTrue(Enumerable.Range(0, example.Length - 1).All(t => example.Targets[t] == TokenExample.IgnoredTarget || example.Targets[t] == example.Ids[t + 1]));
        Assert.AreEqual(Encoding.UTF8.GetByteCount("Grüß dichBye"), example.TargetBytes);
        Assert.AreEqual(3, example.Position);
        Assert.IsFalse(example.WasTruncated);
        Assert.AreEqual(Tokenizer.BeginningOfTextId, example.Ids[0]);
    }

    [TestMethod]
    public void A_chat_that_is_too_long_loses_its_end()
    {
        TokenExample whole = Encoder(1000).Encode(ChatMessages.Parse(Json, 0), 0);
        TokenExample exact = Encoder(whole.Length).Encode(ChatMessages.Parse(Json, 0), 0);
        TokenExample truncated = Encoder(whole.Length - 1).Encode(ChatMessages.Parse(Json, 0), 0);

        Assert.IsFalse(exact.WasTruncated);
        Assert.IsTrue(truncated.WasTruncated);
        CollectionAssert.AreEqual(whole.Targets[..^1], truncated.Targets);
        Assert.AreEqual(whole.TargetCount - 1, truncated.TargetCount);
    }

    [TestMethod]
    public void A_chat_in_which_the_assistant_says_nothing_has_no_targets() =>
        Assert.IsFalse(Encoder(100).Encode([new ChatMessage("user", "Hello")], 0).HasTargets);

    [TestMethod]
    [DataRow("hello", "Row 7: messages are not valid JSON")]
    [DataRow("{}", "Row 7: messages are an object, expected a list of messages.")]
    [DataRow("[]", "Row 7: messages are an empty list")]
    [DataRow("""["hi"]""", "Row 7, message 0: found a string, expected an object with role and content.")]
    [DataRow("""[{"role":"user","content":"a"},{"role":"user"}]""", "Row 7, message 1: 'content' is missing.")]
    [DataRow("""[{"role":"user","content":null}]""", "Row 7, message 0: 'content' is null, expected a string.")]
    [DataRow("""[{"role":5,"content":""}]""", "Row 7, message 0: 'role' is a number, expected a string.")]
    [DataRow("""[{"role":"tool","content":""}]""", "Row 7, message 0: found the role 'tool'; known are system, user, assistant.")]
    [DataRow("""[{"role":"user","content":"","name":"x"}]""", "Row 7, message 0: found the key 'name'; known are role, content.")]
    [DataRow("""[{"role":"user","role":"user","content":""}]""", "Row 7: messages are not valid JSON")]
    [DataRow("""[{"role":"user","content":"\uD800"}]""", "Row 7: messages are not valid JSON", DisplayName = "half of a pair, escaped")]
    public void What_is_no_chat_is_an_error_that_names_row_and_message(string json, string message) =>
        Assert.StartsWith(message, Assert.ThrowsExactly<InvalidDataException>(() => ChatMessages.Parse(json, 7)).Message);

    [TestMethod]
    public void Half_of_a_surrogate_pair_is_an_error_that_names_the_row() => Assert.StartsWith(
        "Row 7: messages are not valid JSON", Assert.ThrowsExactly<InvalidDataException>(() => ChatMessages.Parse("[{\"role\":\"user\",\"content\":\"\uD800\"}]", 7)).Message);

    private static ChatExampleEncoder Encoder(int contextLength) => new(new ChatTemplate(Tokenizer), Tokenizer, contextLength);
}
