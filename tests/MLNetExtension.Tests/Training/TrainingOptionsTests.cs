using Options = MLNetExtension.CausalLanguageModelTrainer.Options;

namespace MLNetExtension.Tests.Training;

[TestClass]
public sealed class TrainingOptionsTests
{
    [TestMethod]
    public void The_defaults_are_valid() => new Options().Validate();

    [TestMethod]
    [DynamicData(nameof(Bad))]
    public void An_option_out_of_range_is_named_with_its_value_and_what_is_allowed(string option, Options options, string message)
    {
        ArgumentOutOfRangeException error = Assert.ThrowsExactly<ArgumentOutOfRangeException>(options.Validate);
        Assert.AreEqual(option, error.ParamName);
        StringAssert.StartsWith(error.Message, message);
    }

    public static IEnumerable<object[]> Bad =>
    [
        ["Model.Layers", new Options { Model = LanguageModel.Gpt2(layers: 0) }, "Model.Layers is 0; allowed is at least 1."],
        ["Model.Heads", new Options { Model = LanguageModel.Gpt2(heads: 3, width: 128) }, "Model.Heads is 3; allowed is at least 1 and a divisor of Width (128)."],
        ["Model.Dropout", new Options { Model = LanguageModel.Gpt2(dropout: 1) }, "Model.Dropout is 1; allowed is from 0 to below 1."],
        ["BatchSize", new Options { BatchSize = 0 }, "BatchSize is 0;"],
        ["Batching.Workers", new Options { Batching = new() { Workers = 0 } }, "Batching.Workers is 0;"],
        ["Batching.Threads", new Options { Batching = new() { Threads = 0 } }, "Batching.Threads is 0;"],
        ["Batching.MaximumTokensPerMicroBatch", new Options { Batching = new() { MaximumTokensPerMicroBatch = 0 } }, "Batching.MaximumTokensPerMicroBatch is 0;"],
        ["Batching.MemoryLimitMiB", new Options { Batching = new() { MemoryLimitMiB = 0 } }, "Batching.MemoryLimitMiB is 0; allowed is above 0."],
        ["Loss.LabelSmoothing", new Options { Loss = new() { LabelSmoothing = 1 } }, "Loss.LabelSmoothing is 1;"],
        ["Loss.ZLoss", new Options { Loss = new() { ZLoss = -1 } }, "Loss.ZLoss is -1;"],
        ["Loss.Normalization", new Options { Loss = new() { Normalization = (MLNetExtension.Training.Accumulation.LossNormalization)9 } }, "Loss.Normalization is 9; allowed is Token, MicroBatchMean, Sum."],
        ["LearningRate", new Options { LearningRate = double.NaN }, "LearningRate is NaN;"],
        ["Schedule.MinimumLearningRateRatio", new Options { Schedule = new() { MinimumLearningRateRatio = 1.5 } }, "Schedule.MinimumLearningRateRatio is 1.5; allowed is from 0 to 1."],
        ["Optimizer.Beta2", new Options { Optimizer = new() { Beta2 = 1 } }, "Optimizer.Beta2 is 1;"],
        ["MaximumSteps", new Options { MaximumSteps = -1 }, "MaximumSteps is -1;"],
        ["MaximumDuration", new Options { MaximumDuration = TimeSpan.FromSeconds(-1) }, "MaximumDuration is -00:00:01;"],
    ];
}
