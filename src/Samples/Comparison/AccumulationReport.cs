using System.Text.Json.Serialization;
using MLNetExtension.Training.Accumulation;

namespace Samples.Comparison;

/// <summary>An element of the list that <c>compare-accumulation</c> writes as JSON, one for each normalization, split and number of ranks. The full batch comes first.</summary>
/// <param name="Normalization">What the accumulated gradient was divided by.</param>
/// <param name="Split">Micro-batches x rows; named <c>cut</c> in the file, as in earlier versions.</param>
/// <param name="Ranks">The number of processes among which the micro-batches were divided.</param>
/// <param name="GradientRelativeError">Relative L2 distance of the first batch's gradient from the full batch's, at the same weights.</param>
/// <param name="GradientNormError">Relative difference of the norm of that gradient before clipping.</param>
/// <param name="Loss">Nats per target token over the last ten batches.</param>
/// <param name="WeightDistance">Relative L2 distance of the final weights from those of the full batch's run.</param>
internal sealed record AccumulationReport(
    LossNormalization Normalization, [property: JsonPropertyName("cut")] string Split, int Ranks, double GradientRelativeError, double GradientNormError, double Loss, double WeightDistance)
{
    /// <summary>The report of a run.</summary>
    public static AccumulationReport From(AccumulationRun run) => new(run.Normalization, run.Split.ToString(), run.Ranks, run.GradientRelativeError, run.GradientNormError, run.Loss, run.WeightDistance);
}
