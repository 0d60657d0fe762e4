using MLNetExtension.Tokenization;

namespace MLNetExtension.Tests.Models.Custom;

/// <summary>A tokenizer of a user's own class: 21 letters, a space for any other character, and the end of a text.</summary>
internal sealed class LetterTokenizer : ILanguageTokenizer
{
    private const string Letters = "abcdefghijklmnoprstuv ";

    public int VocabularySize => Letters.Length + 1;

    public int EndOfTextId => Letters.Length;

    public int? BeginningOfTextId => null;

    public IReadOnlyList<TokenizerFile> Files => [];

    public IReadOnlyList<int> EncodeText(string text) => [.. text.ToLowerInvariant().Select(character => Math.Max(Letters.IndexOf(character), 0))];

    public int ByteCount(int id) => id == EndOfTextId ? 0 : 1;

    public string Decode(IEnumerable<int> ids) => string.Concat(ids.Where(id => id != EndOfTextId).Select(id => Letters[id]));
}
