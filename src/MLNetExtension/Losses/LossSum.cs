using static TorchSharp.torch;

namespace MLNetExtension.Losses;

/// <summary>A summed loss and what it sums over: never an average, so that sums of any split add up to the sum of the whole.</summary>
/// <param name="Sum">Summed loss in nats, a scalar, float64.</param>
/// <param name="TargetCount">Number of targets summed over; where examples are weighted, their summed weights.</param>
/// <param name="CorrectCount">How many targets the model thinks the likeliest token, weighted likewise, a scalar, float64; null where the loss does not say.</param>
public readonly record struct LossSum(Tensor Sum, double TargetCount, Tensor? CorrectCount = null);
