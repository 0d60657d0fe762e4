using MLNetExtension.Formats.HuggingFace;
using MLNetExtension.Models.Llama;
using MLNetExtension.Tests.Tokenization;

namespace MLNetExtension.Tests.Samples;

/// <summary>A tiny model with random weights, in a folder as models are published.</summary>
internal static class PublishedModel
{
    /// <summary>Writes one of Llama's family, with the tokenizer and the chat template of Qwen2's style.</summary>
    public static string Write(string folder)
    {
        var tokenizer = Golden.Tokenizer("qwen2");
        using var model = new LlamaModel(
            new LlamaConfiguration { VocabularySize = tokenizer.VocabularySize, ContextLength = 128, Layers = 1, Width = 16, FeedForwardWidth = 24, Heads = 2, KeyValueHeads = 1, HeadWidth = 8 }, seed: 3);
        new HuggingFaceModel(model, tokenizer.EndOfTextId).Save(folder, [.. Directory.EnumerateFiles(Golden.FolderOf("qwen2"))]);
        return folder;
    }
}
