using MLNetExtension.Formats.HuggingFace;
using MLNetExtension.Models.Llama;
using MLNetExtension.Models.Lora;
using MLNetExtension.Tests.Samples;

namespace MLNetExtension.Tests.Models.Lora;

/// <summary>The memory that a base takes. By itself, because it is the whole process's.</summary>
[TestClass]
[TestCategory("Alone")]
[DoNotParallelize]
public sealed class BaseMemoryTests
{
    // 64 MiB in float32, 16 as integers; the largest tensor in the file has 4. Seen to fail with: matrices that are converted when all have been read.
    [TestMethod]
    public void A_whole_base_in_float32_never_exists()
    {
        if (!OperatingSystem.IsLinux())
            return;
        using TemporaryFolder folder = new();
        LlamaConfiguration configuration = new() { VocabularySize = 16, ContextLength = 8, Layers = 4, Width = 512, Heads = 8, KeyValueHeads = 8, FeedForwardWidth = 2048, TiedHead = true };
        using (HuggingFaceModel whole = new(new LlamaModel(configuration, seed: 1), endOfTextId: 0))
            whole.Save(folder["model"]);
        // What the C library has kept is not seen to grow, so that the largest of a few figures is the nearest.
        long[][] growths = [.. Enumerable.Range(0, 3).Select(_ => new[] { Measure(BasePrecision.Int8), Measure(BasePrecision.Computation) })];
        Assert.IsLessThan(36L << 20, growths.Max(growth => growth[0]));
        Assert.IsGreaterThan(48L << 20, growths.Max(growth => growth[1]), "the control");

        long Measure(BasePrecision precision)
        {
            PeakMemory.Trim();
            return PeakMemory.Growth(() => Load(precision));
        }

        void Load(BasePrecision precision)
        {
            using HuggingFaceModel model = HuggingFaceModel.Load(folder["model"], adapters: new LoraOptions { BasePrecision = precision });
            Assert.AreEqual(16L << 20, model.Model.Blocks.Sum(block => block.parameters().Where(parameter => parameter.dim() == 2).Sum(parameter => parameter.numel())));
        }
    }
}
