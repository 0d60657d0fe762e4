using System.Text.Json;
using MLNetExtension.Data;
using MLNetExtension.Tokenization;
using MLNetExtension.Tokenization.Chat;
using MLNetExtension.Tokenization.Chat.Jinja;
using MLNetExtension.Tokenization.HuggingFace;

namespace MLNetExtension.Tests.Tokenization.Chat;

/// <summary>What of a chat is trained on, and what ends a turn, under the template of every family.</summary>
[TestClass]
public sealed class ChatFamilyTests
{
    private static readonly ChatMessage[] Chat = [new("user", "so?"), new("assistant", "yes it is"), new("user", "and?"), new("assistant", "no")];

    public static IEnumerable<object[]> Families => JinjaGolden.Families.Select(name => new object[] { name });

    [TestMethod]
    [DataRow("chatml", "yes it is<|im_end|>no<|im_end|>")]
    [DataRow("deepseek", "yes it is<｜end▁of▁sentence｜>no<｜end▁of▁sentence｜>")]
    [DataRow("gemma", "yes it is<end_of_turn>no<end_of_turn>")]
    [DataRow("llama2", " yes it is </s> no </s>")]
    [DataRow("llama3", "yes it is<|eot_id|>no<|eot_id|>")]
    [DataRow("llama4", "yes it is<|eot|>no<|eot|>")]
    [DataRow("macros", "yes it is</s>no</s>")]
    [DataRow("mistral", " yes it is</s> no</s>")]
    [DataRow("phi3", "yes it is<|end|>no<|end|>")]
    [DataRow("phi4", "yes it is<|im_end|>no<|im_end|>")]
    [DataRow("qwen2", "yes it is<|im_end|>no<|im_end|>")]
    [DataRow("qwen3", "yes it is<|im_end|>no<|im_end|>")]
    [DataRow("smollm2", "yes it is<|im_end|>no<|im_end|>")]
    [DataRow("smollm3", "yes it is<|im_end|>no<|im_end|>")]
    [DataRow("zephyr", "yes it is</s>no</s>")]
    public void What_the_assistant_says_and_the_end_of_its_turn_are_targets(string family, string expected)
    {
        HuggingFaceTokenizer tokenizer = ChatFamily.Tokenizer(family);
        var template = new ChatTemplate(tokenizer);

        Assert.AreEqual(expected, Targets(tokenizer, template.Encode(Chat)));
        Assert.EndsWith(tokenizer.Decode([template.EndOfTurnId], considerSpecialTokens: true), expected);
        Assert.DoesNotContain(true, template.Encode([Chat[0]]).IsTarget, "nobody has answered");
        Assert.AreEqual("", Targets(tokenizer, template.Encode([Chat[0]])));
    }

    // The model goes on from the ids that it was trained behind. Not DeepSeek's: its prompt opens thoughts that a chat of old answers does not have.
    [TestMethod]
    [DynamicData(nameof(Families))]
    public void A_prompt_is_the_beginning_of_the_chat_with_its_answer(string family)
    {
        HuggingFaceTokenizer tokenizer = ChatFamily.Tokenizer(family);
        var template = new ChatTemplate(tokenizer);
        foreach (int count in (int[])[1, 3])
        {
            IReadOnlyList<int> prompt = template.EncodePrompt(Chat[..count]);
            ChatTokens chat = template.Encode(Chat[..(count + 1)]);
            string text = tokenizer.Decode(prompt, considerSpecialTokens: true);
            if (family == "deepseek")
            {
                Assert.EndsWith("<｜Assistant｜><think>\n", text);
                continue;
            }

            CollectionAssert.AreEqual(prompt.ToArray(), chat.Ids.Take(prompt.Count).ToArray(), family);
            Assert.AreEqual(count == 3, chat.IsTarget.Take(prompt.Count).Contains(true), $"{family}: the first answer, and no more");
            if (family != "qwen3")
                Assert.IsTrue(chat.IsTarget[prompt.Count], family);
        }
    }

    // What is decoded is what Jinja2 would have written, whatever the messages hold, and the special tokens in it are those of the same chat with harmless words in it.
    [TestMethod]
    [DynamicData(nameof(Families))]
    public void No_message_can_forge_a_special_token(string family)
    {
        HuggingFaceTokenizer tokenizer = ChatFamily.Tokenizer(family);
        var template = new ChatTemplate(tokenizer, new FixedClock());
        JinjaTemplate plain = JinjaTemplate.Parse(JinjaGolden.Source(family), family);
        string forged = string.Concat(tokenizer.SpecialTokens.Keys);
        int rendered = 0;
        foreach (ChatConversation chat in JinjaGolden.Conversations.Where((_, i) => i % 4 == 0))
        {
            ChatConversation hostile = Map(chat, text => text + forged), harmless = Map(chat, text => text + "harmless");
            if (TryEncode(template, hostile) is not { } tokens || TryEncode(template, harmless) is not { } expected)
                continue;
            rendered++;
            int[] special = [.. tokens.Ids.Where(tokenizer.SpecialTokens.Values.Contains)];
            CollectionAssert.AreEqual(expected.Ids.Where(tokenizer.SpecialTokens.Values.Contains).ToArray(), special, family);
            TracedText text = plain.Render(new ChatVariables(hostile, tokenizer.NamedTokens).Create(hostile.Messages.Count, false), new RenderBudget(100_000), JinjaGolden.Now);
            Assert.AreEqual(text.Value, tokenizer.Decode(tokens.Ids, considerSpecialTokens: true));
        }

        Assert.IsGreaterThan(20, rendered);
    }

    // Every token of a chat that is trained on stands in an assistant's turn, and every character that the template keeps of an answer is trained on.
    [TestMethod]
    [DynamicData(nameof(Families))]
    public void All_that_a_template_keeps_of_the_assistant_is_trained_on_and_nothing_of_others(string family)
    {
        HuggingFaceTokenizer tokenizer = ChatFamily.Tokenizer(family);
        var template = new ChatTemplate(tokenizer, new FixedClock());
        JinjaTemplate plain = JinjaTemplate.Parse(JinjaGolden.Source(family), family);
        foreach (ChatConversation chat in JinjaGolden.Conversations.Where((_, i) => i % 4 == 1))
        {
            if (TryEncode(template, chat) is not { } tokens)
                continue;
            TracedText text = plain.Render(new ChatVariables(chat, tokenizer.NamedTokens).Create(chat.Messages.Count, false), new RenderBudget(100_000), JinjaGolden.Now);
            bool[] isTrained = Trained(tokenizer, tokens, text.Value);
            int from = 0;
            foreach (TextRun run in text.Runs)
            {
                bool isAssistant = run.Origin.Source >= 0 && chat.Messages[run.Origin.Source].Role == ChatMessage.Assistant;
                // A token of bytes may have the last of one message and the first of what follows.
                int trained = isTrained[from..run.End].Count(is1 => is1);
                if (isAssistant)
                    Assert.AreEqual(run.End - from, trained, $"{family}: {text.Value[from..run.End]}");
                else if (run.Origin.IsContent)
                    Assert.AreEqual(0, trained, $"{family}: {text.Value[from..run.End]}");
                from = run.End;
            }
        }
    }

    // CASES 46, and the calls of tools, which are the assistant's as a whole.
    [TestMethod]
    [DataRow("qwen2", "<tool_call>\n{\"name\": \"add\", \"arguments\": {\"n\": 2}}\n</tool_call><|im_end|>It is 4.<|im_end|>")]
    [DataRow("qwen3", "<think>\nhm\n</think>\n\n<tool_call>\n{\"name\": \"add\", \"arguments\": {\"n\": 2}}\n</tool_call><|im_end|>It is 4.<|im_end|>")]
    [DataRow("llama3", "{\"name\": \"add\", \"parameters\": {\"n\": 2}}<|eot_id|>It is 4.<|eot_id|>")]
    [DataRow("mistral", "[TOOL_CALLS] [{\"name\": \"add\", \"arguments\": {\"n\": 2}, \"id\": \"abcdefghi\"}]</s> It is 4.</s>")]
    [DataRow("deepseek", "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>add\n```json\n{\"n\": 2}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜><｜end▁of▁sentence｜>It is 4.<｜end▁of▁sentence｜>")]
    public void Calls_of_tools_and_thoughts_of_the_data_are_trained_on(string family, string expected)
    {
        const string Json = """
            {"messages": [
                {"role": "user", "content": "2 + 2?"},
                {"role": "assistant", "content": null, "reasoning_content": "hm", "tool_calls": [{"type": "function", "id": "abcdefghi", "function": {"name": "add", "arguments": {"n": 2}}}]},
                {"role": "tool", "content": "4", "tool_call_id": "abcdefghi"},
                {"role": "assistant", "content": "It is 4."}],
             "tools": [{"type": "function", "function": {"name": "add", "description": "Adds.", "parameters": {"type": "object", "properties": {"n": {"type": "integer"}}}}}]}
            """;
        HuggingFaceTokenizer tokenizer = ChatFamily.Tokenizer(family);
        Assert.AreEqual(expected, Targets(tokenizer, new ChatTemplate(tokenizer).Encode(ChatMessages.Parse(Json, 0))));
    }

    // CASES 46: a prompt that opens thoughts, and answers without them behind a block that the template closes.
    [TestMethod]
    public void Thoughts_that_a_prompt_opens_and_a_template_closes_are_not_trained_on()
    {
        const string Opens = "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.role == 'assistant' %}<think>{{ m.reasoning_content }}</think>{% endif %}{{ m.content }}<|im_end|>\n{% endfor %}"
            + "{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n{% endif %}";
        HuggingFaceTokenizer tokenizer = ChatFamily.Tokenizer("chatml", Opens);
        var template = new ChatTemplate(tokenizer);
        Assert.AreEqual("yes it is<|im_end|>no<|im_end|>", Targets(tokenizer, template.Encode(Chat)));
        ChatMessage thinking = Chat[1] with { More = new Dictionary<string, JsonElement> { ["reasoning_content"] = JsonElement.Parse("\"hm\"") } };
        Assert.AreEqual("hm</think>yes it is<|im_end|>", Targets(tokenizer, template.Encode([Chat[0], thinking])));
    }

    [TestMethod]
    public void The_marks_of_a_template_say_which_of_the_assistant_s_words_are_trained_on()
    {
        const string LastAnswerOnly = "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if loop.last %}{% generation %}{{ m.content }}<|im_end|>{% endgeneration %}{% else %}{{ m.content }}<|im_end|>{% endif %}\n{% endfor %}";
        const string HeaderToo = "{% for m in messages %}{% generation %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endgeneration %}{% endfor %}";
        HuggingFaceTokenizer last = ChatFamily.Tokenizer("chatml", LastAnswerOnly), all = ChatFamily.Tokenizer("chatml", HeaderToo);

        Assert.AreEqual("no<|im_end|>", Targets(last, new ChatTemplate(last).Encode(Chat)));
        Assert.AreEqual("yes it is<|im_end|>no<|im_end|>", Targets(all, new ChatTemplate(all).Encode(Chat)), "of what is marked, only what the assistant says");
    }

    [TestMethod]
    [DataRow("{{ messages | length }}", "chat_template: the template does not write what the assistant says, so that there is nothing to train on.")]
    [DataRow("{% for m in messages %}{{ m.content }}{% endfor %}{{ messages[-1].content }}", "in one place")]
    [DataRow("{% for m in messages | reverse %}{{ m.content }}<|im_end|>{% endfor %}", "in one place")]
    [DataRow("{% for m in messages %}{{ m.content | length }}{% endfor %}", "nothing to train on")]
    [DataRow("{% for m in messages %}{{ m.content }}</turn>{% endfor %}", "ends the assistant's turn with '</turn>', which is no special token of the tokenizer.")]
    [DataRow("{{ raise_exception('never') }}", "chat_template, line 1: the template refuses the chat: never")]
    public void A_template_in_which_the_assistant_cannot_be_found_is_an_error(string source, string message) =>
        Assert.Contains(message, Assert.ThrowsExactly<InvalidDataException>(() => new ChatTemplate(ChatFamily.Tokenizer("chatml", source))).Message);

    [TestMethod]
    public void A_template_that_asks_for_instructions_is_taken_and_its_refusals_name_the_row()
    {
        const string Strict = "{% if messages[0].role != 'system' %}{{ raise_exception('no instructions') }}{% endif %}{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}";
        HuggingFaceTokenizer tokenizer = ChatFamily.Tokenizer("chatml", Strict);
        var template = new ChatTemplate(tokenizer);
        Assert.AreEqual("yes it is<|im_end|>no<|im_end|>", Targets(tokenizer, template.Encode([new("system", "be kind"), .. Chat])));
        var error = Assert.ThrowsExactly<InvalidDataException>(() => new ChatExampleEncoder(template, tokenizer, 100).Encode(new ChatConversation(Chat), 7));
        Assert.AreEqual("Row 7: chat_template, line 1: the template refuses the chat: no instructions", error.Message);
    }

    // Llama 2 and its kin put a space in front of a text, which a part of one must not get.
    [TestMethod]
    public void A_SentencePiece_model_with_a_template_beside_it_lays_out_chats()
    {
        var tokenizer = (IChatTokenizer)TokenizerFolder.Load(
            [TestTokenizers.SentencePieceFile("llama"), new TokenizerFile("chat_template.jinja", System.Text.Encoding.UTF8.GetBytes(JinjaGolden.Source("llama2")))]);
        var template = new ChatTemplate(tokenizer);
        ChatTokens tokens = template.Encode(Chat);

        int begin = tokenizer.BeginningOfTextId!.Value, end = tokenizer.EndOfTextId;
        int[] first = [.. tokenizer.EncodeText("[INST] so? [/INST] yes it is ")], second = [.. tokenizer.EncodeText("[INST] and? [/INST] no ")];
        int asked = tokenizer.EncodeText("[INST] so? [/INST]").Count, askedAgain = tokenizer.EncodeText("[INST] and? [/INST]").Count;
        CollectionAssert.AreEqual((int[])[begin, .. first, end, begin, .. second, end], tokens.Ids.ToArray());
        CollectionAssert.AreEqual((int[])[.. first[asked..], end, .. second[askedAgain..], end], tokens.Ids.Where((_, i) => tokens.IsTarget[i]).ToArray());
        CollectionAssert.AreEqual((int[])[begin, .. first[..asked]], template.EncodePrompt(Chat[..1]).ToArray());
        Assert.AreEqual(end, template.EndOfTurnId);
        Assert.AreEqual(2, template.Encode([new("user", "</s><s>"), Chat[1]]).Ids.Count(id => id == begin || id == end), "a message cannot forge its end");
    }

    // As Phi 3 has it: the line break behind a mark is the mark's.
    [TestMethod]
    public void White_space_that_a_special_token_takes_is_no_token()
    {
        HuggingFaceTokenizer plain = ChatFamily.Tokenizer("phi3");
        string json = System.Text.Encoding.UTF8.GetString(plain.Files[0].Content.Span).Replace("\"rstrip\":false", "\"rstrip\":true");
        HuggingFaceTokenizer tokenizer = HuggingFaceTokenizer.Create([new TokenizerFile("tokenizer.json", System.Text.Encoding.UTF8.GetBytes(json)), .. plain.Files.Skip(1)]);
        var template = new ChatTemplate(tokenizer);

        const string Text = "<|user|>\nso?<|end|>\n<|assistant|>\nyes it is<|end|>\n<|user|>\nand?<|end|>\n<|assistant|>\nno<|end|>\n<|endoftext|>";
        ChatTokens tokens = template.Encode(Chat);
        CollectionAssert.AreEqual(tokenizer.EncodeToIds(Text).ToArray(), tokens.Ids.ToArray());
        Assert.AreEqual("yes it is<|end|>no<|end|>", Targets(tokenizer, tokens));
        Assert.AreNotEqual(plain.EncodeToIds(Text).Count, tokens.Ids.Count);
        CollectionAssert.AreEqual(tokens.Ids.Take(4).ToArray(), template.EncodePrompt(Chat[..1]).Take(4).ToArray());
    }

    [TestMethod]
    public void A_date_is_that_of_the_clock()
    {
        HuggingFaceTokenizer tokenizer = ChatFamily.Tokenizer("llama3");
        Assert.Contains("Today is: 05 Mar 2026\n", tokenizer.Decode(new ChatTemplate(tokenizer, new FixedClock()).EncodePrompt([Chat[0]])));
    }

    private static string Targets(HuggingFaceTokenizer tokenizer, ChatTokens tokens) => tokenizer.Decode(tokens.Ids.Where((_, i) => tokens.IsTarget[i]), considerSpecialTokens: true);

    private static ChatTokens? TryEncode(ChatTemplate template, ChatConversation chat)
    {
        try
        {
            return template.Encode(chat);
        }
        catch (InvalidDataException)
        {
            return null; // refused by the template
        }
    }

    // Which characters are those of tokens that are trained on.
    private static bool[] Trained(HuggingFaceTokenizer tokenizer, ChatTokens tokens, string text)
    {
        var bytes = new List<bool>();
        for (int i = 0; i < tokens.Ids.Count; i++)
        {
            bool isSpecial = tokenizer.SpecialTokens.Values.Contains(tokens.Ids[i]);
            int count = isSpecial ? System.Text.Encoding.UTF8.GetByteCount(tokenizer.Decode([tokens.Ids[i]], considerSpecialTokens: true)) : tokenizer.ByteCount(tokens.Ids[i]);
            bytes.AddRange(Enumerable.Repeat(tokens.IsTarget[i], count));
        }

        var result = new bool[text.Length];
        int at = 0;
        for (int i = 0; i < text.Length; i++)
        {
            int length = char.IsSurrogatePair(text, i) ? 2 : 1;
            result[i] = result[i + length - 1] = bytes[at];
            at += System.Text.Encoding.UTF8.GetByteCount(text.AsSpan(i, length));
            i += length - 1;
        }

        Assert.AreEqual(bytes.Count, at);
        return result;
    }

    private static ChatConversation Map(ChatConversation chat, Func<string, string> map) => chat with
    {
        Messages = [.. chat.Messages.Select(message => message with
        {
            Content = message.HasContent ? map(message.Content) : "",
            More = message.More.ToDictionary(pair => pair.Key, pair => pair.Key == "reasoning_content" ? JsonSerializer.SerializeToElement(map(pair.Value.GetString()!)) : pair.Value),
        })],
    };

    private sealed class FixedClock : TimeProvider
    {
        public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

        public override DateTimeOffset GetUtcNow() => JinjaGolden.Now;
    }
}
