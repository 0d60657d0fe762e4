namespace MLNetExtension.Formats.Gguf;

/// <summary>What a published model's files say of special tokens besides its tokenizer.</summary>
/// <param name="BeginningOfTextId">The id that begins a text; null for none.</param>
/// <param name="EndOfTextIds">The ids at which generation ends.</param>
/// <param name="PaddingId">The id that pads rows; null for none.</param>
internal sealed record GgufSpecialTokens(int? BeginningOfTextId, IReadOnlyList<int> EndOfTextIds, int? PaddingId)
{
    /// <summary>Of a model that has no such files.</summary>
    public static GgufSpecialTokens None { get; } = new(null, [], null);
}
