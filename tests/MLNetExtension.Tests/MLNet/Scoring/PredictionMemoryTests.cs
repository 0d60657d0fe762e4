using System.Diagnostics;
using Microsoft.ML;

namespace MLNetExtension.Tests.MLNet.Scoring;

[TestClass]
[TestCategory("Alone")]
[DoNotParallelize] // the memory is the process's
public sealed class PredictionMemoryTests
{
    // dotnet/machinelearning #7219, #6579: native memory, which no count of tensors shows. A prediction's logits alone take 512 x 257 x 4 bytes, half a MiB, so that a
    // prediction that left them behind would add 150 MiB here. Seen to fail with: the scorer's dispose scope left out.
    [TestMethod]
    public void Three_hundred_predictions_hold_no_more_memory_than_a_few()
    {
        var mlContext = new MLContext(seed: 1);
        var options = Tiny.Options(steps: 0);
        options.Model = options.Model with { ContextLength = 512 };
        using var model = Tiny.Train(mlContext, options);
        using var engine = mlContext.Model.CreatePredictionEngine<Tiny.Row, Tiny.Prediction>(model, new PredictionEngineOptions { OwnsTransformer = false });
        var row = new Tiny.Row { Text = new string('a', 600), Vector = [0, 0] };

        long before = Memory(20);
        long after = Memory(300);

        Assert.IsLessThan(64L << 20, after - before);

        long Memory(int predictions)
        {
            for (int i = 0; i < predictions; i++)
                engine.Predict(row);
            using var process = Process.GetCurrentProcess();
            return process.WorkingSet64;
        }
    }
}
