namespace MLNetExtension.Tokenization;

/// <summary>
/// What a causal language model needs of its tokenizer: where texts begin and end, text that cannot forge special tokens, the bytes of a token, and the files that bring the tokenizer back.
/// </summary>
/// <remarks>The tokenizers of this library are <see cref="Microsoft.ML.Tokenizers.Tokenizer"/>s too; one of your own need not be.</remarks>
public interface ILanguageTokenizer
{
    /// <summary>One more than the largest id: the smallest number of rows that a model's embedding needs.</summary>
    int VocabularySize { get; }

    /// <summary>The id that ends a text.</summary>
    int EndOfTextId { get; }

    /// <summary>The id that the tokenizer's files put in front of every text; null where they put none.</summary>
    int? BeginningOfTextId { get; }

    /// <summary>The id that a model reads before the first token of a text: <see cref="BeginningOfTextId"/>, or where there is none, the end of the text before.</summary>
    internal int BeginningId => BeginningOfTextId ?? EndOfTextId;

    /// <summary>Encodes a text as content: normalized as the tokenizer's files say, and special tokens that are written out in it stay ordinary
    /// characters.</summary>
    /// <param name="text">The text.</param>
    /// <returns>Its ids, without those of the beginning or the end.</returns>
    /// <exception cref="NotSupportedException">A pattern of the tokenizer's files takes too long for this text.</exception>
    IReadOnlyList<int> EncodeText(string text);

    /// <summary>Encodes the beginning of a text: the first ids of <see cref="EncodeText"/>, in a time and a memory that the ids need, and not the text, wherever the tokenizer can.</summary>
    /// <param name="text">The text.</param>
    /// <param name="maximumCount">How many ids at most; at least 0.</param>
    internal IReadOnlyList<int> EncodeStart(string text, int maximumCount)
    {
        IReadOnlyList<int> ids = EncodeText(text);
        return ids.Count <= maximumCount ? ids : [.. ids.Take(maximumCount)];
    }

    /// <summary>Encodes a text part by part, so that a long one need not be in memory as a whole several times over: the ids of <see cref="EncodeText"/> in order.</summary>
    /// <param name="text">The text.</param>
    /// <param name="read">Receives each part, which is valid until it returns.</param>
    internal void EncodeParts(string text, Action<IReadOnlyList<int>> read) => read(EncodeText(text));

    /// <summary>Decodes ids to their text; special tokens give no characters.</summary>
    /// <param name="ids">Ids of this tokenizer.</param>
    /// <returns>The text; bytes that are not valid UTF-8 give U+FFFD.</returns>
    /// <exception cref="InvalidOperationException">The tokenizer has no such id.</exception>
    string Decode(IEnumerable<int> ids);

    /// <summary>The UTF-8 bytes that a token spells, so that they add up to those of the text; 0 for special tokens.</summary>
    /// <param name="id">An id of this tokenizer.</param>
    /// <exception cref="InvalidOperationException">The tokenizer has no such id.</exception>
    int ByteCount(int id);

    /// <summary>The files from which <see cref="TokenizerFolder"/> makes this tokenizer again; none where it has no files.</summary>
    IReadOnlyList<TokenizerFile> Files { get; }
}
