using MLNetExtension.Formats;
using MLNetExtension.Formats.Gguf;
using MLNetExtension.Models.Llama;
using MLNetExtension.Tests.Samples;
using MLNetExtension.Tokenization.Bytes;

namespace MLNetExtension.Tests.Formats.Gguf;

/// <summary>The memory that writing a GGUF file takes.</summary>
[TestClass]
[TestCategory("Alone")]
[DoNotParallelize]
public sealed class GgufMemoryTests
{
    private static readonly LlamaConfiguration Llama = new() { VocabularySize = 257, ContextLength = 24, Layers = 1, Width = 1024, FeedForwardWidth = 4608, Heads = 8 };

    // 72 MiB of weights, of which a matrix has 18.
    [TestMethod]
    [DataRow(GgufType.F32)]
    [DataRow(GgufType.F16)]
    [DataRow(GgufType.Q8_0)]
    public void Weights_go_straight_to_the_file(GgufType type)
    {
        if (!OperatingSystem.IsLinux())
            return;
        using LlamaModel model = new(Llama, seed: 1);
        using TemporaryFolder folder = new();
        Save();
        Assert.IsLessThan(12L << 20, PeakMemory.Growth(Save));

        void Save() => GgufModel.Save(folder["model.gguf"], model, new ByteLevelTokenizer(), SpecialTokens.None, type);
    }
}
