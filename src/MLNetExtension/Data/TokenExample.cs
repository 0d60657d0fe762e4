namespace MLNetExtension.Data;

/// <summary>A row as token ids with its targets, shifted here once and nowhere else: the model reads <c>Ids[t]</c> and is asked for <c>Targets[t]</c>.</summary>
internal sealed class TokenExample
{
    /// <summary>The target of a position that no loss counts.</summary>
    public const int IgnoredTarget = -100;

    /// <summary>Makes an example of ids and their targets.</summary>
    /// <param name="ids">Token ids, [T].</param>
    /// <param name="targets">For each position the id that follows it, or <see cref="IgnoredTarget"/>, [T].</param>
    /// <param name="targetBytes">UTF-8 bytes of the text that the targets spell.</param>
    /// <param name="position">Row of the data that this example came from, from 0.</param>
    /// <param name="wasTruncated">Whether the row was longer than the context.</param>
    /// <param name="weight">What the example's summed loss and its number of targets are multiplied by; finite, at least 0.</param>
    /// <exception cref="ArgumentException"><paramref name="ids"/> and <paramref name="targets"/> differ in length.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="weight"/> is negative or not finite.</exception>
    public TokenExample(int[] ids, int[] targets, int targetBytes, long position, bool wasTruncated = false, double weight = 1)
    {
        if (!(weight >= 0 && double.IsFinite(weight)))
            throw new ArgumentOutOfRangeException(nameof(weight), weight, FormattableString.Invariant($"The weight of row {position} is {weight}; allowed is a finite number of at least 0."));

        if (ids.Length != targets.Length)
            throw new ArgumentException($"An example needs a target for each id: row {position} has {ids.Length} ids and {targets.Length} targets.", nameof(targets));

        Ids = ids;
        Targets = targets;
        TargetBytes = targetBytes;
        Position = position;
        WasTruncated = wasTruncated;
        Weight = weight;
        TargetCount = targets.Length - targets.AsSpan().Count(IgnoredTarget);
    }

    /// <summary>Token ids, [T].</summary>
    public int[] Ids { get; }

    /// <summary>Target ids, [T]; <see cref="IgnoredTarget"/> where no loss is counted.</summary>
    public int[] Targets { get; }

    /// <summary>T, the number of positions.</summary>
    public int Length => Ids.Length;

    /// <summary>Number of targets that are counted.</summary>
    public int TargetCount { get; }

    /// <summary>UTF-8 bytes of the text that the counted targets spell; end-of-text spells none.</summary>
    public int TargetBytes { get; }

    /// <summary>Row of the data that this example came from, from 0.</summary>
    public long Position { get; }

    /// <summary>Whether the row was longer than the context, so that its end is missing here.</summary>
    public bool WasTruncated { get; }

    /// <summary>What the example's summed loss and its number of targets are multiplied by.</summary>
    public double Weight { get; }

    /// <summary>Whether a training can use the example: it has a target, and a weight above 0.</summary>
    public bool HasTargets => TargetCount > 0 && Weight > 0;
}
