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
        Assert.IsFalse(Encoder(100).Encode(new ChatConversation([new ChatMessage("user", "Hello")]), 0).HasTargets);

    [TestMethod]
    [DataRow("hello", "Row 7: messages are not valid JSON")]
    [DataRow("{}", "Row 7: messages are an object, expected a list of messages.")]
    [DataRow("[]", "Row 7: messages are an empty list")]
    [DataRow("""["hi"]""", "Row 7, message 0: found a string, expected an object with role and content.")]
    [DataRow("""[{"role":"user","content":"a"},{"role":"user"}]""", "Row 7, message 1: 'content' is missing.")]
    [DataRow("""[{"role":"user","content":null}]""", "Row 7, message 0: 'content' is null, expected a string.")]
    [DataRow("""[{"role":5,"content":""}]""", "Row 7, message 0: 'role' is a number, expected a string.")]
    [DataRow("""[{"role":"narrator","content":""}]""", "Row 7, message 0: found the role 'narrator'; known are system, developer, user, assistant, tool.")]
    [DataRow("""[{"role":"user","content":"","mood":"x"}]""", "Row 7, message 0: found the key 'mood'; known are role, content, reasoning_content, thinking, name, tool_call_id, tool_calls.")]
    [DataRow("""[{"role":"user","content":"","name":5}]""", "Row 7, message 0: 'name' is a number, expected a string.")]
    [DataRow("""[{"role":"assistant","content":"","tool_calls":{}}]""", "Row 7, message 0: 'tool_calls' is an object, expected a list.")]
    [DataRow("""[{"role":"assistant","content":null,"tool_calls":[]}]""", "Row 7, message 0: 'content' is null, expected a string.")]
    [DataRow("""[{"role":"assistant","tool_calls":["\uD800"]}]""", "Row 7: messages are not valid JSON", DisplayName = "half of a pair, escaped, in a call")]
    [DataRow("""{"messages":[{"role":"user","content":""}],"tools":5}""", "Row 7: 'tools' is a number, expected a list.")]
    [DataRow("""{"messages":[{"role":"user","content":""}],"tool":[]}""", "Row 7: found the key 'tool'; known are messages, tools.")]
    [DataRow("""{"messages":{}}""", "Row 7: messages are an object, expected a list of messages.")]
    [DataRow("""[{"role":"user","role":"user","content":""}]""", "Row 7: messages are not valid JSON")]
    [DataRow("""[{"role":"user","content":"\uD800"}]""", "Row 7: messages are not valid JSON", DisplayName = "half of a pair, escaped")]
    public void What_is_no_chat_is_an_error_that_names_row_and_message(string json, string message) =>
        Assert.StartsWith(message, Assert.ThrowsExactly<InvalidDataException>(() => ChatMessages.Parse(json, 7)).Message);

    [TestMethod]
    public void Tools_thoughts_and_calls_are_read_and_keys_without_values_are_not()
    {
        ChatConversation chat = ChatMessages.Parse(
            """{"tools":[{"a":1}],"messages":[{"role":"user","content":"","name":null},{"role":"assistant","content":null,"reasoning_content":"hm","tool_calls":[{"id":"x"}]}]}""", 0);
        Assert.AreEqual("""[{"a":1}]""", chat.Tools!.Value.GetRawText());
        Assert.IsEmpty(chat.Messages[0].More);
        Assert.IsFalse(chat.Messages[1].HasContent);
        CollectionAssert.AreEqual((string[])["reasoning_content", "tool_calls"], chat.Messages[1].More.Keys.ToArray());
        Assert.IsNull(ChatMessages.Parse(Json, 0).Tools);
    }

    [TestMethod]
    public void Half_of_a_surrogate_pair_is_an_error_that_names_the_row() => Assert.StartsWith(
        "Row 7: messages are not valid JSON", Assert.ThrowsExactly<InvalidDataException>(() => ChatMessages.Parse("[{\"role\":\"user\",\"content\":\"\uD800\"}]", 7)).Message);

    private static ChatExampleEncoder Encoder(int contextLength) => new(new ChatTemplate(Tokenizer), Tokenizer, contextLength);
}
