using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using MLNetExtension.Tokenization;
using MLNetExtension.Tokenization.HuggingFace;

namespace MLNetExtension.Tests.Tokenization.Chat;

/// <summary>The families of chat templates in <c>Templates</c>, each with its special tokens over a small vocabulary.</summary>
internal static class ChatFamily
{
    private static readonly Dictionary<string, (string Beginning, string End, string[] Others)> SpecialTokens = new()
    {
        ["chatml"] = ("<s>", "<|endoftext|>", ["<|im_start|>", "<|im_end|>"]),
        ["deepseek"] = ("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>",
            ["<｜User｜>", "<｜Assistant｜>", "<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>", "<｜tool▁call▁begin｜>", "<｜tool▁call▁end｜>", "<｜tool▁sep｜>", "<｜tool▁outputs▁begin｜>", "<｜tool▁outputs▁end｜>"]),
        ["gemma"] = ("<bos>", "<eos>", ["<start_of_turn>", "<end_of_turn>"]),
        ["llama2"] = ("<s>", "</s>", []),
        ["llama3"] = ("<|begin_of_text|>", "<|end_of_text|>", ["<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]),
        ["llama4"] = ("<|begin_of_text|>", "<|end_of_text|>", ["<|header_start|>", "<|header_end|>", "<|eot|>"]),
        ["macros"] = ("<s>", "</s>", ["<|USER|>", "<|ASSISTANT|>", "<|TOOL|>"]),
        ["mistral"] = ("<s>", "</s>", ["[INST]", "[/INST]", "[TOOL_CALLS]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_RESULTS]", "[/TOOL_RESULTS]"]),
        ["phi3"] = ("<s>", "<|endoftext|>", ["<|system|>", "<|user|>", "<|assistant|>", "<|end|>"]),
        ["phi4"] = ("<s>", "<|endoftext|>", ["<|im_start|>", "<|im_sep|>", "<|im_end|>"]),
        ["qwen2"] = ("<s>", "<|endoftext|>", ["<|im_start|>", "<|im_end|>"]),
        ["qwen3"] = ("<s>", "<|endoftext|>", ["<|im_start|>", "<|im_end|>"]),
        ["smollm2"] = ("<s>", "<|endoftext|>", ["<|im_start|>", "<|im_end|>"]),
        ["smollm3"] = ("<s>", "<|endoftext|>", ["<|im_start|>", "<|im_end|>"]),
        ["zephyr"] = ("<s>", "</s>", []),
    };

    /// <summary>A tokenizer with the family's template and special tokens.</summary>
    public static HuggingFaceTokenizer Tokenizer(string family) => Tokenizer(family, JinjaGolden.Source(family));

    /// <summary>A tokenizer with the family's special tokens and another template.</summary>
    public static HuggingFaceTokenizer Tokenizer(string family, string template)
    {
        (string beginning, string end, string[] others) = SpecialTokens[family];
        JsonNode json = JsonNode.Parse(Golden.Json("gpt2"))!;
        JsonArray tokens = json["added_tokens"]!.AsArray();
        tokens.Clear();
        json["model"]!["vocab"]!.AsObject().Remove("<|endoftext|>");
        int id = json["model"]!["vocab"]!.AsObject().Max(entry => entry.Value!.GetValue<int>());
        foreach (string content in (string[])[beginning, end, .. others])
        {
            tokens.Add(new JsonObject
            {
                ["id"] = ++id, ["content"] = content, ["special"] = true, ["normalized"] = false, ["single_word"] = false, ["lstrip"] = false, ["rstrip"] = false,
            });
        }

        var configuration = new Dictionary<string, string> { ["bos_token"] = beginning, ["eos_token"] = end, ["chat_template"] = template };
        return HuggingFaceTokenizer.Create(
        [
            new TokenizerFile("tokenizer.json", Encoding.UTF8.GetBytes(json.ToJsonString())),
            new TokenizerFile("tokenizer_config.json", JsonSerializer.SerializeToUtf8Bytes(configuration)),
        ]);
    }
}
