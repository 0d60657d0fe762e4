using System.Runtime.InteropServices;
using Microsoft.ML;
using Microsoft.ML.Runtime;
using MLNetExtension.MLNet.Trainer;
using MLNetExtension.Tests.Training;
using MLNetExtension.Training.Splitting;

namespace MLNetExtension.Tests.MLNet.Trainer;

[TestClass]
public sealed class MemoryWarningTests
{
    // It was an information, that micro-batches hold at most so many tokens. Seen to fail with: the callback not called.
    [TestMethod]
    public void A_first_step_that_does_not_fit_into_memory_is_a_warning()
    {
        const int Positions = 64;
        var mlContext = new MLContext(seed: 1);
        List<(ChannelMessageKind Kind, string Message)> lines = [];
        mlContext.Log += (_, e) => lines.Add((e.Kind, e.RawMessage));
        var options = Tiny.Options();
        options.Model = LanguageModel.Custom("tight", () => new ProbedNetwork((_, ids) => OfferMemory(ids.numel()), vocabulary: 257), contextLength: Positions);
        options.Batching = new() { MaximumTokensPerMicroBatch = 1000, PackRows = false };
        using var model = Tiny.Train(mlContext, options);

        (_, string message) = lines.Single(line => line.Kind == ChannelMessageKind.Warning && line.Message.Contains("memory ran out"));
        Assert.StartsWith("Step 1: memory ran out; micro-batches hold at most ", message);
        Assert.EndsWith(" tokens instead of 1,000 from now on. The result is the same.", message);

        // Fails as libtorch's allocator does.
        static void OfferMemory(long positions)
        {
            if (positions > Positions)
                throw new ExternalException($"[enforce fail at alloc_cpu.cpp:75] . DefaultCPUAllocator: can't allocate memory: you tried to allocate {positions} bytes.");
        }
    }

    // Fewer workers were not reported at all.
    [TestMethod]
    [DataRow(512, 2, "Step 1: memory ran out; micro-batches hold at most 512 tokens instead of 2,048 from now on. The result is the same.")]
    [DataRow(2048, 1, "Step 1: memory ran out; the number of workers is 1 instead of 2 from now on. The result is the same.")]
    [DataRow(64, 1, "Step 1: memory ran out; micro-batches hold at most 64 tokens instead of 2,048 and the number of workers is 1 instead of 2 from now on. The result is the same.")]
    public void Memory_that_runs_out_is_a_warning_of_what_happened_and_what_was_done(int tokens, int workers, string expected)
    {
        var mlContext = new MLContext(seed: 1);
        List<(ChannelMessageKind Kind, string Message)> lines = [];
        mlContext.Log += (_, e) => lines.Add((e.Kind, e.RawMessage));
        using (var channel = ((IHostEnvironment)mlContext).Register("test").Start("test"))
            new TrainingReport(channel, Tiny.Options()).OutOfMemory(1, new SplitPlan(2048, 2, Threads: 2, Pack: true), new SplitPlan(tokens, workers, Threads: 2, Pack: true));

        Assert.ContainsSingle(line => line == (ChannelMessageKind.Warning, expected), lines);
    }
}
