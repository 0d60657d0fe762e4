namespace MLNetExtension.Tokenization;

/// <summary>Stands where a model's folder has no tokenizer files: the model is trained on token ids, and text is refused.</summary>
/// <param name="vocabularySize">The model's number of ids.</param>
/// <param name="beginningOfTextId">The id that its configuration names for the beginning of a text; null where it names none.</param>
/// <param name="endOfTextId">The id that its configuration names for the end of a text.</param>
internal sealed class TokenIdsOnly(int vocabularySize, int? beginningOfTextId, int endOfTextId) : ILanguageTokenizer
{
    public int VocabularySize => vocabularySize;

    public int EndOfTextId => endOfTextId;

    public int? BeginningOfTextId => beginningOfTextId;

    public IReadOnlyList<TokenizerFile> Files => [];

    public IReadOnlyList<int> EncodeText(string text) => throw NoText();

    public string Decode(IEnumerable<int> ids) => throw NoText();

    /// <summary>0: what bytes a token spells is not known.</summary>
    public int ByteCount(int id) => 0;

    private static NotSupportedException NoText() =>
        new("The model has no tokenizer: its folder has no tokenizer files, so it reads and gives token ids, not text.");
}
