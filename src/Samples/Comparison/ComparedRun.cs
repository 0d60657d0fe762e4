using MLNetExtension.Training.Accumulation;
using MLNetExtension.Training.Ranks;
using static TorchSharp.torch;

namespace Samples.Comparison;

/// <summary>One of the ways in which a comparison trains.</summary>
/// <param name="Normalization">What the accumulated gradient is divided by.</param>
/// <param name="Split">How each batch is split.</param>
/// <param name="Ranks">Among whom the micro-batches are divided.</param>
/// <param name="Dtype">The type that is computed in.</param>
internal sealed record ComparedRun(LossNormalization Normalization, BatchSplit Split, IRankGroup Ranks, ScalarType Dtype);
