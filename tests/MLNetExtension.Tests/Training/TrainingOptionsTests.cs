using MLNetExtension.Training;

namespace MLNetExtension.Tests.Training;

[TestClass]
public sealed class TrainingOptionsTests
{
    [TestMethod]
    public void The_defaults_are_valid() => new TrainingOptions().Validate();

    [TestMethod]
    [DynamicData(nameof(Bad))]
    public void An_option_out_of_range_is_named_with_its_value_and_what_is_allowed(string option, TrainingOptions options, string message)
    {
        ArgumentOutOfRangeException error = Assert.ThrowsExactly<ArgumentOutOfRangeException>(options.Validate);
        Assert.AreEqual(option, error.ParamName);
        StringAssert.StartsWith(error.Message, message);
    }

    public static IEnumerable<object[]> Bad =>
    [
        ["Layers", new TrainingOptions { Layers = 0 }, "Layers is 0; allowed is at least 1."],
        ["Heads", new TrainingOptions { Heads = 3, Width = 128 }, "Heads is 3; allowed is at least 1 and a divisor of Width (128)."],
        ["Dropout", new TrainingOptions { Dropout = 1 }, "Dropout is 1; allowed is from 0 to below 1."],
        ["BatchSize", new TrainingOptions { BatchSize = 0 }, "BatchSize is 0;"],
        ["Workers", new TrainingOptions { Workers = 0 }, "Workers is 0;"],
        ["Threads", new TrainingOptions { Threads = 0 }, "Threads is 0;"],
        ["MaximumTokensPerMicroBatch", new TrainingOptions { MaximumTokensPerMicroBatch = 0 }, "MaximumTokensPerMicroBatch is 0;"],
        ["MemoryLimitMiB", new TrainingOptions { MemoryLimitMiB = 0 }, "MemoryLimitMiB is 0; allowed is above 0."],
        ["LabelSmoothing", new TrainingOptions { LabelSmoothing = 1 }, "LabelSmoothing is 1;"],
        ["ZLoss", new TrainingOptions { ZLoss = -1 }, "ZLoss is -1;"],
        ["LossNormalization", new TrainingOptions { LossNormalization = (MLNetExtension.Training.Accumulation.LossNormalization)9 }, "LossNormalization is 9; allowed is Token, MicroBatchMean, Sum."],
        ["LearningRate", new TrainingOptions { LearningRate = double.NaN }, "LearningRate is NaN;"],
        ["MinimumLearningRate", new TrainingOptions { LearningRate = 0.001, MinimumLearningRate = 0.01 }, "MinimumLearningRate is 0.01; allowed is from 0 to LearningRate (0.001)."],
        ["Beta2", new TrainingOptions { Beta2 = 1 }, "Beta2 is 1;"],
        ["MaximumSteps", new TrainingOptions { MaximumSteps = -1 }, "MaximumSteps is -1;"],
        ["MaximumDuration", new TrainingOptions { MaximumDuration = TimeSpan.FromSeconds(-1) }, "MaximumDuration is -00:00:01;"],
    ];
}
