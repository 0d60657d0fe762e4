using System.Text.Json.Nodes;
using MLNetExtension.Formats.HuggingFace;
using MLNetExtension.Models.Llama;
using MLNetExtension.Tokenization.Bytes;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.InteropTests;

/// <summary>A small model of Llama's kind with random weights, in a folder as models are published: bytes as tokens, and ChatML's marks and template.</summary>
internal static class SmallChatModel
{
    public const int EndOfText = ByteLevelTokenizer.EndOfTextId, TurnStart = 257, TurnEnd = 258, VocabularySize = 259, ContextLength = 512;

    private const string Template = "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}{% endfor %}"
        + "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

    /// <summary>Writes the folder.</summary>
    /// <param name="folder">Is created.</param>
    /// <param name="contextLength">Most positions.</param>
    /// <param name="scale">What the usual initial weights are multiplied by: far from 1, predictions are far from uniform.</param>
    public static string Write(string folder, int contextLength = ContextLength, double scale = 8)
    {
        using LlamaModel model = new(
            new LlamaConfiguration
            {
                VocabularySize = VocabularySize, ContextLength = contextLength, Layers = 2, Width = 32, FeedForwardWidth = 64, Heads = 4, KeyValueHeads = 2, HeadWidth = 8,
            },
            seed: 7);
        using (no_grad())
        {
            foreach ((string _, Parameter parameter) in model.named_parameters())
            {
                if (parameter.dim() == 2)
                    parameter.mul_(scale);
            }
        }
        new HuggingFaceModel(model, EndOfText).Save(folder);
        File.WriteAllText(Path.Combine(folder, "tokenizer.json"), TokenizerJson());
        JsonObject configuration = new() { ["tokenizer_class"] = "PreTrainedTokenizerFast", ["eos_token"] = "<|endoftext|>", ["chat_template"] = Template };
        File.WriteAllText(Path.Combine(folder, "tokenizer_config.json"), configuration.ToJsonString());
        return folder;
    }

    // That of bytes, with two more special tokens.
    private static string TokenizerJson()
    {
        JsonNode tokenizer = JsonNode.Parse(new ByteLevelTokenizer().Files.Single(file => file.Name == "tokenizer.json").Content.Span)!;
        JsonArray added = tokenizer["added_tokens"]!.AsArray();
        foreach ((string content, int id) in new[] { ("<|im_start|>", TurnStart), ("<|im_end|>", TurnEnd) })
        {
            JsonNode mark = added[0]!.DeepClone();
            (mark["content"], mark["id"]) = (content, id);
            added.Add(mark);
        }
        return tokenizer.ToJsonString();
    }
}
