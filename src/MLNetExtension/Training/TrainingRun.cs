using MLNetExtension.Data;
using MLNetExtension.Models;
using MLNetExtension.Training.Preference;
using MLNetExtension.Training.Ranks;
using MLNetExtension.Training.Reports;
using MLNetExtension.Training.Resume;
using MLNetExtension.Training.Splitting;

namespace MLNetExtension.Training;

/// <summary>What is trained, on what and how.</summary>
/// <param name="Model">The model; every parameter that needs a gradient is trained, in place and on the device where it is.</param>
/// <param name="Examples">The examples to train on, at least one with a target.</param>
/// <param name="Options">How to train; validated by whoever made them.</param>
/// <param name="Seed">Seed of the order of examples and of dropout; the same seed on the same machine gives the same model.</param>
internal sealed record TrainingRun(CausalLanguageModel Model, IReadOnlyList<TokenExample> Examples, TrainingOptions Options, int Seed)
{
    /// <summary>What the parameters are in published files. Default: all go by their names in the model.</summary>
    public ParameterNames PublishedNames { get; init; } = ParameterNames.None;

    /// <summary>For each example its value in the column that <see cref="TrainingOptions.RowOrder"/> follows. Default: null, it follows none.</summary>
    public IReadOnlyList<double>? OrderValues { get; init; }

    /// <summary>The ranks that train together; each is given the same run. Default: this process alone.</summary>
    public RankSetup Ranks { get; init; } = RankSetup.Alone;

    /// <summary>Called after every step, on the first rank.</summary>
    public Action<StepReport>? OnStep { get; init; }

    /// <summary>Called, on the first rank, when a batch did not fit into the memory of a rank: with its step, from 1, the plan that it began with and the one by which it was computed.</summary>
    public Action<int, SplitPlan, SplitPlan>? OnOutOfMemory { get; init; }

    /// <summary>Called, on the first rank, with the plan of the steps to come: before the first step with null, where no others are tried; else with what trials have found, when they end.</summary>
    public Action<SplitPlan, SplitChoice?>? OnSplitChosen { get; init; }

    /// <summary>What is minimized where <see cref="Examples"/> are pairs: the batch size then counts pairs. Default: the cross entropy of each example.</summary>
    public PreferenceObjective? Preference { get; init; }

    /// <summary>How many examples in a row belong together.</summary>
    public int RowsTogether => Preference is null ? 1 : PreferenceObjective.RowsOfPair;

    /// <summary>How to evaluate the model while it is trained; it ends with the best weights that were evaluated. The time counts as time of training. Default: not at all.</summary>
    public Validation? Validation { get; init; }

    /// <summary>What matrix multiplication yields on all ranks together, in floating-point operations per second, for the reports. Default: not known.</summary>
    public double? MatrixPeak { get; init; }

    /// <summary>Checkpoints to resume from and to write; where there are, each rank has them. Default: none.</summary>
    public CheckpointManager? Checkpoints { get; init; }

    /// <summary>Ends training after the current step, or at once where the model is evaluated; the model keeps what it was trained to so far. Default: never.</summary>
    public CancellationToken StopToken { get; init; }

    /// <summary>Ends training before the next micro-batch with an <see cref="OperationCanceledException"/>. Default: never.</summary>
    public CancellationToken CancellationToken { get; init; }
}
