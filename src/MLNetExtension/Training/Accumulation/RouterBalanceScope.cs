namespace MLNetExtension.Training.Accumulation;

/// <summary>Over what a router's loads are to be balanced.</summary>
public enum RouterBalanceScope
{
    /// <summary>
    /// Over the whole window: loss and gradient are the same for every cut. Costs a second forward pass, because the shares must be known before the first backward pass. The default.
    /// </summary>
    Window,

    /// <summary>Over each micro-batch, weighted by its targets: the usual form, which depends on the cut but grows with neither the number of micro-batches nor that of ranks.</summary>
    MicroBatch,
}
