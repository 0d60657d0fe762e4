using MLNetExtension.Data;
using MLNetExtension.Models;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Tests.Samples;
using MLNetExtension.Training;
using MLNetExtension.Training.Averaging;
using MLNetExtension.Training.Reports;
using MLNetExtension.Training.Resume;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Training.Averaging;

/// <summary>Short trainings whose weights are averaged.</summary>
internal static class AveragedTraining
{
    public const int Steps = 20;

    public static TrainingOptions Options(WeightAveraging? averaging) => new()
    {
        BatchSize = 4, MaximumSteps = Steps, LearningRate = 1e-2, Schedule = new() { WarmupSteps = 3 }, Batching = new() { MaximumTokensPerMicroBatch = 50 },
        Regularization = new() { Averaging = averaging },
    };

    // The weights before the first step and after each, and those that the model has at the end.
    public static Trained Train(TrainingOptions options, ScalarType dtype = ScalarType.Float64, double dropout = 0, TokenExample[]? rows = null, Func<CausalLanguageModel, double>? validate = null)
    {
        using Gpt2Model model = Ragged.Model(dtype, dropout: dropout, layers: 1);
        List<Tensor> weights = [Weights(model)];
        List<StepReport> reports = [];
        TrainingSummary summary = TrainingLoop.Run(new TrainingRun(model, rows ?? Ragged.Examples(18), options, Seed: 1)
        {
            OnStep = step =>
            {
                reports.Add(step);
                weights.Add(Weights(model));
            },
            Validation = validate is null ? null : new Validation(_ => (validate(model), 1), interval: 5),
        });
        return new Trained(weights, Weights(model), summary, reports);
    }

    public static TrainingSummary GoOn(
        Gpt2Model model, TrainingOptions options, TemporaryFolder folder, Func<CausalLanguageModel, double>? validate = null, CancellationToken cancellationToken = default, Action<StepReport>? onStep = null)
    {
        using CheckpointFolder opened = CheckpointFolder.Open(folder.Path);
        return TrainingLoop.Run(new TrainingRun(model, Ragged.Examples(18), options, Seed: 1)
        {
            OnStep = onStep,
            CancellationToken = cancellationToken,
            Checkpoints = new CheckpointManager(opened, interval: 1, new Dictionary<string, string>()),
            Validation = validate is null ? null : new Validation(_ => (validate(model), 1), interval: 5),
        });
    }

    // A copy, even of a single parameter.
    public static Tensor Weights(CausalLanguageModel model) => cat([.. model.parameters().Select(parameter => parameter.detach().flatten())]).clone();

    public static byte[] Bytes(Tensor weights) => weights.bytes.ToArray();
}

/// <summary>What a training gave.</summary>
/// <param name="Weights">Before the first step, and after each.</param>
/// <param name="Model">The weights that the model has at the end.</param>
/// <param name="Summary">Of the training.</param>
/// <param name="Reports">Of its steps.</param>
internal sealed record Trained(List<Tensor> Weights, Tensor Model, TrainingSummary Summary, List<StepReport> Reports);
