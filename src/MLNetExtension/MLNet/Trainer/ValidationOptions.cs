using Microsoft.ML;
using MLNetExtension.Generation;
using MLNetExtension.Training.Reports;
using MLNetExtension.Training;

namespace MLNetExtension;

/// <summary>Rows that are not trained on, on which the loss is measured during training; the trained model has the weights with the lowest loss on them.</summary>
/// <remarks>Exactly one of <see cref="Rows"/> and <see cref="Fraction"/> is set. Measuring changes nothing in the training.</remarks>
public sealed record ValidationOptions
{
    internal const int DefaultInterval = 100;

    /// <summary>
    /// The rows. They have the trainer's input columns as the trainer reads them: what stands before the trainer in a pipeline is applied to the training data alone. Default: null.
    /// </summary>
    public IDataView? Rows { get; init; }

    /// <summary>
    /// The share of the rows given to <c>Fit</c> that are held out, and not trained on: what stands before the trainer in a pipeline is applied to them. Each row is held out with this probability;
    /// whether it is depends on the trainer's seed and the row's position alone. Default: null; above 0 and below 1.
    /// </summary>
    public double? Fraction { get; init; }

    /// <summary>How often the loss is measured: a number of optimizer steps, at least 1, or <c>TrainingInterval.Epochs(0.5)</c>; the last step is always evaluated. Default: 100 steps.</summary>
    public TrainingInterval Interval { get; init; } = DefaultInterval;

    /// <summary>Training stops after this many evaluations in a row without a lower loss. Default: null; it and 0 mean never.</summary>
    public int? Patience { get; init; }

    /// <summary>
    /// Prompts from which texts are generated at each evaluation, for <see cref="StepReport.Samples"/>: as the trainer reads them, since what stands before it in a pipeline is not applied to them; an empty one gives a text from its beginning.
    /// A model that is trained on chats reads them as a user's messages. The weights are the same with and without; the time is training time, as that of an evaluation is. Default: none.
    /// </summary>
    public IReadOnlyList<string> Prompts { get; init; } = [];

    /// <summary>How texts are generated from <see cref="Prompts"/>. Default: up to 64 tokens at temperature 0.7 and top-p 0.9. Without a seed, the training's: the same random numbers at every evaluation.</summary>
    public GenerationOptions Generation { get; init; } = new() { MaximumNewTokens = 64, Temperature = 0.7, TopP = 0.9 };

    internal void Validate(string group)
    {
        Require.That(Fraction is null or (> 0 and < 1), Fraction, "above 0 and below 1", group);
        Require.That((Rows is null) != (Fraction is null), Fraction, Rows is null ? $"a number, where {group}.{nameof(Rows)} is null" : $"null beside {group}.{nameof(Rows)}", group);
        Interval.Validate(group, nameof(Interval));
        Require.That(Patience is null or >= 0, Patience, "at least 0", group);
        Require.That(Prompts is not null && Prompts.All(prompt => prompt is not null), Prompts, "a list of texts", group);
        ArgumentNullException.ThrowIfNull(Generation);
        Generation.Validate($"{group}.{nameof(Generation)}");
    }
}
