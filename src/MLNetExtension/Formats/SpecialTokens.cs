namespace MLNetExtension.Formats;

/// <summary>What the files of a model say of special tokens besides its tokenizer.</summary>
/// <param name="BeginId">The id that begins a text; null for none.</param>
/// <param name="EndIds">The ids that end a text.</param>
/// <param name="PaddingId">The id that fills rows up; null for none.</param>
internal sealed record SpecialTokens(int? BeginId, IReadOnlyList<int> EndIds, int? PaddingId)
{
    /// <summary>Of a model that has no such files.</summary>
    public static SpecialTokens None { get; } = new(null, [], null);
}
