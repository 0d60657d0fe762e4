using MLNetExtension.Tokenization;
using MLNetExtension.Tokenization.Bytes;

namespace MLNetExtension.Tests.Data.Store;

/// <summary>A tokenizer of a user's own class, which encodes as bytes do.</summary>
internal sealed class OwnTokenizer : ILanguageTokenizer
{
    private readonly ByteLevelTokenizer _bytes = new();

    public int VocabularySize => 257;

    public int EndOfTextId => 256;

    public int? BeginningOfTextId => null;

    public IReadOnlyList<TokenizerFile> Files => [];

    public IReadOnlyList<int> EncodeText(string text) => _bytes.EncodeText(text);

    public string Decode(IEnumerable<int> ids) => _bytes.Decode(ids);

    public int ByteCount(int id) => _bytes.ByteCount(id);
}
