using MLNetExtension.Data.Store;

namespace MLNetExtension.Data;

/// <summary>A row as token ids with its targets, shifted here once and nowhere else: the model reads <c>Ids[t]</c> and is asked for <c>Targets[t]</c>.</summary>
/// <remarks>An example of a <see cref="TokenStore"/> knows its <see cref="Length"/> and <see cref="TargetCount"/> from the start; the rest is read from the store when first asked for, and kept. Any number of
/// threads may ask.</remarks>
internal sealed class TokenExample
{
    /// <summary>The target of a position that no loss counts.</summary>
    public const int IgnoredTarget = -100;

    private readonly TokenStore? _store;    // null where the content is given
    private readonly int _row;
    private readonly (double LossWeight, double Count)? _reweighed;    // null where both follow from the weight
    private volatile ExampleContent? _content;

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

        _content = new ExampleContent(ids, targets, targetBytes, position, wasTruncated, weight);
        Length = ids.Length;
        TargetCount = targets.Length - targets.AsSpan().Count(IgnoredTarget);
        HasTargets = TargetCount > 0 && weight > 0;
    }

    /// <summary>Makes an example whose content is read from a store, which holds only examples that have targets.</summary>
    internal TokenExample(TokenStore store, int row, int length, int targetCount) =>
        (_store, _row, Number, Length, TargetCount, HasTargets) = (store, row, row, length, targetCount, true);

    private TokenExample(TokenExample row, ExampleContent content, (double LossWeight, double Count)? reweighed) =>
        (_content, _reweighed, Number, Length, TargetCount, HasTargets) = (content, reweighed, row.Number, row.Length, row.TargetCount, row.HasTargets);

    /// <summary>Token ids, [T].</summary>
    public int[] Ids => Content.Ids;

    /// <summary>Target ids, [T]; <see cref="IgnoredTarget"/> where no loss is counted.</summary>
    public int[] Targets => Content.Targets;

    /// <summary>T, the number of positions.</summary>
    public int Length { get; }

    /// <summary>Number of targets that are counted.</summary>
    public int TargetCount { get; }

    /// <summary>UTF-8 bytes of the text that the counted targets spell; end-of-text spells none.</summary>
    public int TargetBytes => Content.TargetBytes;

    /// <summary>Row of the data that this example came from, from 0.</summary>
    public long Position => Content.Position;

    /// <summary>Whether the row was longer than the context, so that its end is missing here.</summary>
    public bool WasTruncated => Content.WasTruncated;

    /// <summary>What the example's summed loss and its number of targets are multiplied by.</summary>
    public double Weight => Content.Weight;

    /// <summary>What the loss of each of its targets is multiplied by: <see cref="Weight"/>, unless <see cref="Reweigh"/> has set another.</summary>
    public double LossWeight => _reweighed?.LossWeight ?? Weight;

    /// <summary>What the example adds to the number by which a batch's gradient is divided: its targets, each by its weight, unless <see cref="Reweigh"/> has set another.</summary>
    public double Count => _reweighed?.Count ?? Weight * TargetCount;

    /// <summary>Its place among the examples of its store, from 0; of an example with content of its own, whatever was given. Default 0.</summary>
    public int Number { get; init; }

    /// <summary>Whether its completion is one that the model is to avoid; asked in training on preferences alone.</summary>
    public bool IsUndesirable => Content.IsUndesirable;

    /// <summary>Whether a training can use the example: it has a target, and a weight above 0.</summary>
    public bool HasTargets { get; }

    private ExampleContent Content => _content ??= _store!.Read(_row);

    /// <summary>Reads the content from the store now, where that has not been done.</summary>
    /// <exception cref="IOException">The store's file cannot be read.</exception>
    public void Load() => _ = Content;

    /// <summary>Gives the same example with another part in the loss.</summary>
    /// <param name="lossWeight">What the loss of each of its targets is multiplied by: any finite number, also a negative one.</param>
    /// <param name="count">What it adds to the number by which a batch's gradient is divided.</param>
    public TokenExample Reweigh(double lossWeight, double count) => new(this, Content, (lossWeight, count));

    /// <summary>Gives the same example as one whose completion the model is to avoid.</summary>
    public TokenExample MarkUndesirable() => new(this, Content with { IsUndesirable = true }, _reweighed);
}

/// <summary>What an example holds beside its lengths.</summary>
internal sealed record ExampleContent(int[] Ids, int[] Targets, int TargetBytes, long Position, bool WasTruncated, double Weight)
{
    /// <summary>Whether its completion is one that the model is to avoid.</summary>
    public bool IsUndesirable { get; init; }
}
