using MLNetExtension.Training.Accumulation;
using Samples.Comparison;

namespace Samples.Reporting;

/// <summary>How one policy and one cut fared: an element of what <c>compare-accumulation</c> writes as JSON. The full batch comes first.</summary>
/// <param name="Normalization">What the accumulated gradient was divided by.</param>
/// <param name="Cut">Micro-batches x rows.</param>
/// <param name="GradientRelativeError">Relative L2 distance of the first window's gradient from the full batch's, at the same weights.</param>
/// <param name="Loss">Nats per target token over the last ten windows.</param>
/// <param name="WeightDistance">Relative L2 distance of the final weights from those of the full batch's run.</param>
internal sealed record AccumulationReport(LossNormalization Normalization, string Cut, double GradientRelativeError, double Loss, double WeightDistance)
{
    public static AccumulationReport From(AccumulationRun run) => new(run.Normalization, run.Cut.ToString(), run.GradientRelativeError, run.Loss, run.WeightDistance);
}
