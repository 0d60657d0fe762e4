using MLNetExtension.Training.Optimization;
using Microsoft.ML;
using MLNetExtension.Losses;
using MLNetExtension.Tests.MLNet;
using Options = MLNetExtension.CausalLanguageModelTrainer.Options;

namespace MLNetExtension.Tests.Training;

[TestClass]
public sealed class TrainingOptionsTests
{
    private static DistillationOptions Teacher => new() { Teacher = TeacherModel.Pretrained("teacher") };

    [TestMethod]
    public void The_defaults_are_valid() => new Options().Validate();

    // What the bounds allow, the arithmetic must bear: no native message, and no weight that is not finite.
    [TestMethod]
    [DataRow(1e30, 0.99999994, 0.99999994, 1e30, 1e6)]
    [DataRow(1e30, 0.0, 0.0, 1.18e-38, 1e6)]
    [DataRow(double.Epsilon, 0.9, 0.999, 1.18e-38, 0.0)]
    [DataRow(1e30, 0.99999994, 0.0, 1.18e-38, 0.0)]
    public void The_ends_of_the_ranges_leave_finite_weights(double learningRate, double beta1, double beta2, double epsilon, double weightDecay)
    {
        var mlContext = new MLContext(seed: 1);
        Options options = Tiny.Options(steps: 4);
        options.LearningRate = learningRate;
        options.Optimizer = new AdamWOptions { Beta1 = beta1, Beta2 = beta2, Epsilon = epsilon, WeightDecay = weightDecay, MaximumGradientNorm = 1e30 };
        using var model = Tiny.Train(mlContext, options);
        mlContext.Model.Save(model, null, new MemoryStream());
        Assert.IsTrue(double.IsFinite(mlContext.CausalLanguageModeling.Evaluate(model.Transform(Tiny.Rows(mlContext, Tiny.Texts))).Loss));
    }

    [TestMethod]
    [DynamicData(nameof(Bad))]
    public void An_option_out_of_range_is_named_with_its_value_and_what_is_allowed(string option, Options options, string message)
    {
        ArgumentOutOfRangeException error = Assert.ThrowsExactly<ArgumentOutOfRangeException>(options.Validate);
        Assert.AreEqual(option, error.ParamName);
        StringAssert.StartsWith(error.Message, message);
    }

    // The shorter overload is documented with at least 1; no epoch at all was accepted, and trained nothing.
    [TestMethod]
    [DataRow(0)]
    [DataRow(-1)]
    public void The_overload_for_a_text_column_takes_at_least_one_epoch(int epochs)
    {
        var trainers = new MLContext(seed: 1).CausalLanguageModeling.Trainers;
        ArgumentOutOfRangeException error = Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => trainers.CausalLanguageModel("Text", maximumEpochs: epochs));
        Assert.AreEqual("maximumEpochs", error.ParamName);
        StringAssert.StartsWith(error.Message, $"maximumEpochs is {epochs}; allowed is at least 1.");
    }

    public static IEnumerable<object[]> Bad =>
    [
        ["Model.Layers", new Options { Model = LanguageModel.Gpt2(layers: 0) }, "Model.Layers is 0; allowed is at least 1."],
        ["Model.Heads", new Options { Model = LanguageModel.Gpt2(heads: 3, width: 128) }, "Model.Heads is 3; allowed is at least 1 and a divisor of Width (128)."],
        ["Model.Dropout", new Options { Model = LanguageModel.Gpt2(dropout: 1) }, "Model.Dropout is 1; allowed is from 0 to below 1."],
        ["BatchSize", new Options { BatchSize = 0 }, "BatchSize is 0;"],
        ["Batching.Workers", new Options { Batching = new() { Workers = 0 } }, "Batching.Workers is 0;"],
        ["Batching.Threads", new Options { Batching = new() { Threads = 0 } }, "Batching.Threads is 0;"],
        ["Batching.Threads", new Options { Batching = new() { Threads = 1025 } }, "Batching.Threads is 1025; allowed is from 1 to 1024."],
        ["Batching.Threads", new Options { Batching = new() { Threads = int.MaxValue } }, "Batching.Threads is 2147483647;"],
        ["Batching.Workers", new Options { Batching = new() { Workers = 257 } }, "Batching.Workers is 257; allowed is from 1 to 256."],
        ["Batching.MaximumTokensPerMicroBatch", new Options { Batching = new() { MaximumTokensPerMicroBatch = 0 } }, "Batching.MaximumTokensPerMicroBatch is 0;"],
        ["Batching.MemoryLimitMiB", new Options { Batching = new() { MemoryLimitMiB = 0 } }, "Batching.MemoryLimitMiB is 0; allowed is above 0."],
        ["Loss.LabelSmoothing", new Options { Loss = new() { LabelSmoothing = 1 } }, "Loss.LabelSmoothing is 1;"],
        ["Loss.LabelSmoothing", new Options { Loss = new() { LabelSmoothing = 0.1, Kind = LossKind.Focal() } }, "Loss.LabelSmoothing is 0.1; allowed is 0 where Loss.Kind is focal loss with gamma 2."],
        ["Loss.Kind.Gamma", new Options { Loss = new() { Kind = LossKind.Focal(double.NaN) } }, "Loss.Kind.Gamma is NaN; allowed is from 0 to 100."],
        ["Loss.Kind", new Options { Loss = new() { Kind = LossKind.Focal(3), TokenLoss = new LinearCrossEntropy() } }, "Loss.Kind is 'focal loss with gamma 3'; allowed is cross entropy beside Loss.TokenLoss."],
        ["Distillation.Share", new Options { Distillation = Teacher with { Share = 0 } }, "Distillation.Share is 0; allowed is above 0 and at most 1."],
        ["Distillation.Share", new Options { Distillation = Teacher with { Share = double.NaN } }, "Distillation.Share is NaN;"],
        ["Distillation.Temperature", new Options { Distillation = Teacher with { Temperature = 0 } }, "Distillation.Temperature is 0; allowed is from 0.01 to 100."],
        ["Distillation.Divergence.TeacherShare", new Options { Distillation = Teacher with { Divergence = Divergence.JensenShannon(1) } }, "Distillation.Divergence.TeacherShare is 1; allowed is above 0 and below 1."],
        ["Distillation.Teacher.Folder", new Options { Distillation = new() { Teacher = TeacherModel.Pretrained("") } }, "Distillation.Teacher.Folder is ''; allowed is a name that is not empty."],
        ["Loss.Kind", new Options { Distillation = Teacher, Loss = new() { Kind = LossKind.Dft } }, "Loss.Kind is 'dynamic fine-tuning, the cross entropy times the target's probability'; allowed is cross entropy beside Distillation."],
        ["Loss.TokenLoss", new Options { Distillation = Teacher, Loss = new() { TokenLoss = new LinearCrossEntropy() } }, "Loss.TokenLoss is MLNetExtension.Losses.LinearCrossEntropy; allowed is null beside Distillation."],
        ["Loss.LabelSmoothing", new Options { Distillation = Teacher, Loss = new() { LabelSmoothing = 0.1 } }, "Loss.LabelSmoothing is 0.1; allowed is 0 beside Distillation."],
        ["Loss.ZLoss", new Options { Distillation = Teacher, Loss = new() { ZLoss = 1e-4 } }, "Loss.ZLoss is 0.0001; allowed is 0 beside Distillation."],
        ["Loss.ZLoss", new Options { Loss = new() { ZLoss = -1 } }, "Loss.ZLoss is -1;"],
        ["Loss.Normalization", new Options { Loss = new() { Normalization = (MLNetExtension.Training.Accumulation.LossNormalization)9 } }, "Loss.Normalization is 9; allowed is Token, MicroBatchMean, Sum."],
        ["LearningRate", new Options { LearningRate = double.NaN }, "LearningRate is NaN;"],
        ["LearningRate", new Options { LearningRate = double.PositiveInfinity }, "LearningRate is Infinity;"],
        ["LearningRate", new Options { LearningRate = double.MaxValue }, "LearningRate is 1.7976931348623157E+308; allowed is above 0 and at most 1E+30."],
        ["Optimizer.Epsilon", new Options { Optimizer = new AdamWOptions { Epsilon = double.Epsilon } }, "Optimizer.Epsilon is 5E-324; allowed is from 1.18E-38 to 1E+30."],
        ["Optimizer.Epsilon", new Options { Optimizer = new AdamWOptions { Epsilon = 1e39 } }, "Optimizer.Epsilon is 1E+39;"],
        ["Optimizer.Beta1", new Options { Optimizer = new AdamWOptions { Beta1 = 0.99999999 } }, "Optimizer.Beta1 is 0.99999999; allowed is from 0 to below 1."],
        ["Optimizer.Beta2", new Options { Optimizer = new AdamWOptions { Beta2 = double.NaN } }, "Optimizer.Beta2 is NaN;"],
        ["Optimizer.WeightDecay", new Options { Optimizer = new AdamWOptions { WeightDecay = 1e7 } }, "Optimizer.WeightDecay is 10000000; allowed is from 0 to 1E+06."],
        ["Optimizer.WeightDecay", new Options { Optimizer = new AdamWOptions { WeightDecay = double.NaN } }, "Optimizer.WeightDecay is NaN;"],
        ["Optimizer.MaximumGradientNorm", new Options { Optimizer = new AdamWOptions { MaximumGradientNorm = double.NaN } }, "Optimizer.MaximumGradientNorm is NaN;"],
        ["Optimizer.MaximumGradientNorm", new Options { Optimizer = new AdamWOptions { MaximumGradientNorm = 1e39 } }, "Optimizer.MaximumGradientNorm is 1E+39; allowed is from 0 to 1E+30."],
        ["Loss.LabelSmoothing", new Options { Loss = new() { LabelSmoothing = 0.99999999 } }, "Loss.LabelSmoothing is 0.99999999;"],
        ["Loss.ZLoss", new Options { Loss = new() { ZLoss = 1e300 } }, "Loss.ZLoss is 1E+300; allowed is from 0 to 1E+30."],
        ["Loss.RouterBalanceCoefficient", new Options { Loss = new() { RouterBalanceCoefficient = 1e39 } }, "Loss.RouterBalanceCoefficient is 1E+39;"],
        ["Adapters.Alpha", new Options { Adapters = new() { Alpha = 1e39 } }, "Adapters.Alpha is 1E+39; allowed is from 1.18E-38 to 1E+30."],
        ["Adapters.Dropout", new Options { Adapters = new() { Dropout = 0.99999999 } }, "Adapters.Dropout is 0.99999999;"],
        ["Model.Dropout", new Options { Model = LanguageModel.Gpt2(dropout: 0.99999999) }, "Model.Dropout is 0.99999999;"],
        ["Outputs.Generation.Temperature", new Options { Outputs = new() { Generation = new() { Temperature = 1e39, Seed = 1 } } }, "Outputs.Generation.Temperature is 1E+39; allowed is from 0 to 1E+30."],
        ["Outputs.Generation.RepetitionPenalty", new Options { Outputs = new() { Generation = new() { Temperature = 0, RepetitionPenalty = double.Epsilon } } }, "Outputs.Generation.RepetitionPenalty is 5E-324;"],
        ["Schedule.WarmupSteps", new Options { Schedule = new() { WarmupSteps = -1 } }, "Schedule.WarmupSteps is -1;"],
        ["Schedule.MinimumLearningRateRatio", new Options { Schedule = new() { MinimumLearningRateRatio = 1.5 } }, "Schedule.MinimumLearningRateRatio is 1.5; allowed is from 0 to 1."],
        ["Optimizer.Beta2", new Options { Optimizer = new AdamWOptions { Beta2 = 1 } }, "Optimizer.Beta2 is 1;"],
        ["MaximumSteps", new Options { MaximumSteps = -1 }, "MaximumSteps is -1;"],
        ["MaximumDuration", new Options { MaximumDuration = TimeSpan.FromSeconds(-1) }, "MaximumDuration is -00:00:01;"],
    ];
}
