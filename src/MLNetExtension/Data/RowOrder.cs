using System.Text.Json.Serialization;

namespace MLNetExtension.Data;

/// <summary>In which order an epoch visits the rows: shuffled, as given, or as a curriculum, in ascending order of a column.</summary>
[JsonConverter(typeof(RowOrderJson))]
public abstract record RowOrder
{
    private protected RowOrder()
    {
    }

    /// <summary>Shuffled anew in every epoch, by the seed.</summary>
    public static RowOrder Shuffled { get; } = new ShuffledOrder();

    /// <summary>As the data gives them, the same in every epoch: to repeat what another trainer did.</summary>
    public static RowOrder AsGiven { get; } = new GivenOrder();

    /// <summary>The column that the order follows; null where it follows none.</summary>
    internal virtual string? Column => null;

    /// <summary>
    /// Ascending by a column of numbers, such as a row's difficulty or length: a curriculum. Rows of equal values are shuffled anew in every epoch, by the seed. The last rows of a batch and the first of the next may have equal values.
    /// </summary>
    /// <param name="column">The column: a scalar of any numeric type. 64-bit integers count as the nearest <see cref="double"/>; infinities are allowed, NaN is not.</param>
    /// <param name="epochs">In how many epochs, from the first; later ones are shuffled. At least 1, which is SortaGrad. Default: null, in all of them.</param>
    /// <remarks>
    /// Sources: Y. Bengio et al., "Curriculum learning", 2009; D. Amodei et al., "Deep Speech 2: end-to-end speech recognition in English and Mandarin", 2016, section 3.3 (SortaGrad, by length in the first epoch).
    /// </remarks>
    public static RowOrder Ascending(string column, int? epochs = null) => new AscendingOrder(column, epochs);

    internal virtual void Validate(string option)
    {
    }

    internal sealed record ShuffledOrder : RowOrder
    {
        public override string ToString() => nameof(Shuffled);
    }

    internal sealed record GivenOrder : RowOrder
    {
        public override string ToString() => nameof(AsGiven);
    }

    internal sealed record AscendingOrder(string By, int? Epochs) : RowOrder
    {
        internal override string Column => By;

        /// <summary>Whether an epoch, from 0, is in this order.</summary>
        public bool Holds(int epoch) => Epochs is null || epoch < Epochs;

        // Without the column's name, which does not count when a training is resumed: its values do.
        public override string ToString() => Epochs switch
        {
            null => nameof(Ascending),
            1 => "Ascending in the first epoch",
            { } epochs => FormattableString.Invariant($"Ascending in the first {epochs} epochs"),
        };

        internal override void Validate(string option)
        {
            Require.Name(By, option, "Column");
            Require.That(Epochs is null or >= 1, Epochs, "at least 1", option);
        }
    }
}
