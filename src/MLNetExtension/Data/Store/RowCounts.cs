namespace MLNetExtension.Data.Store;

/// <summary>What became of the rows of a data set.</summary>
internal readonly record struct RowCounts
{
    /// <summary>How many rows were read.</summary>
    public long Rows { get; init; }

    /// <summary>Rows left out because their weight is 0: they count nothing, as if they were not there.</summary>
    public long WithoutWeight { get; init; }

    /// <summary>Rows left out because they have no target token: the prompt alone fills the context.</summary>
    public long WithoutTargets { get; init; }

    /// <summary>Rows that did not fit the context and lost their end.</summary>
    public long Truncated { get; init; }

    /// <summary>Rows that did not fit the context and were split.</summary>
    public long Split { get; init; }

    /// <summary>The examples that those became.</summary>
    public long Pieces { get; init; }

    /// <summary>Target tokens of the examples.</summary>
    public long TargetTokens { get; init; }

    public static RowCounts operator +(RowCounts a, RowCounts b) => new()
    {
        Rows = a.Rows + b.Rows,
        WithoutWeight = a.WithoutWeight + b.WithoutWeight,
        WithoutTargets = a.WithoutTargets + b.WithoutTargets,
        Truncated = a.Truncated + b.Truncated,
        Split = a.Split + b.Split,
        Pieces = a.Pieces + b.Pieces,
        TargetTokens = a.TargetTokens + b.TargetTokens,
    };
}
