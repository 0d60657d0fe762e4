using System.Text;
using MLNetExtension.Tokenization;

namespace MLNetExtension.Tests.Data;

/// <summary>Takes the longest of its pieces that the text goes on with, so that pieces may begin with a space, as those of published tokenizers do. Id 0 ends a text.</summary>
internal sealed class PiecesTokenizer(params string[] pieces) : ILanguageTokenizer
{
    public int VocabularySize => pieces.Length + 1;

    public int EndOfTextId => 0;

    public int? BeginningOfTextId => null;

    public IReadOnlyList<TokenizerFile> Files => [];

    public IReadOnlyList<int> EncodeText(string text)
    {
        List<int> ids = [];
        for (int i = 0; i < text.Length; i += pieces[ids[^1] - 1].Length)
            ids.Add(1 + Array.IndexOf(pieces, pieces.Where(piece => text[i..].StartsWith(piece, StringComparison.Ordinal)).MaxBy(piece => piece.Length)));
        return ids;
    }

    public string Decode(IEnumerable<int> ids) => string.Concat(ids.Where(id => id > 0).Select(id => pieces[id - 1]));

    public int ByteCount(int id) => id == 0 ? 0 : Encoding.UTF8.GetByteCount(pieces[id - 1]);
}
