namespace MLNetExtension.Training.Optimization;

/// <summary>What is trained, as far as defaults depend on it.</summary>
internal enum TrainedKind
{
    /// <summary>A new network.</summary>
    New,

    /// <summary>All weights of a published model.</summary>
    Pretrained,

    /// <summary>Low-rank adapters beside frozen weights.</summary>
    Adapters,
}
