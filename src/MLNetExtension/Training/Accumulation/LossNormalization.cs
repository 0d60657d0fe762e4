namespace MLNetExtension.Training.Accumulation;

/// <summary>How the summed losses of a batch's micro-batches become the quantity whose gradient is applied. L_k is the summed loss of micro-batch k, m_k its targets, G their number.</summary>
public enum LossNormalization
{
    /// <summary>sum L_k / sum m_k: the mean over the batch's targets, equal for every split. The default.</summary>
    Token,

    /// <summary>(1/G) sum (L_k / m_k): the mean of means, which weighs tokens unequally where the m_k differ. For showing and measuring that.</summary>
    MicroBatchMean,

    /// <summary>sum L_k: undivided, so that the step grows with the batch. For recipes that do so.</summary>
    Sum,
}
