using System.Text.Json.Serialization;

namespace MLNetExtension.Training.Accumulation;

/// <summary>The tokens over which the loads of a router's experts are balanced.</summary>
public enum RouterBalanceScope
{
    /// <summary>
    /// The whole batch: loss and gradient are the same for every split. Costs a second forward pass, because the shares must be known before the first backward pass. The default.
    /// </summary>
    [JsonStringEnumMemberName("Window")]    // its name in models and checkpoints of earlier versions
    Batch,

    /// <summary>Each micro-batch, weighted by its targets: the usual form, which depends on the split but grows with neither the number of micro-batches nor that of ranks.</summary>
    MicroBatch,
}
