using MLNetExtension.Tokenization;
using MLNetExtension.Tokenization.Bytes;

namespace MLNetExtension.Tests.Tokenization;

[TestClass]
public sealed class StreamingDecoderTests
{
    private static readonly ByteLevelTokenizer Bytes = new();

    [TestMethod]
    public void The_pieces_together_are_the_whole() => Texts.ForAll(
        Texts.Ids, ids => string.Concat(Pieces(Bytes, ids)) == Bytes.Decode(ids));

    [TestMethod]
    public void No_piece_ends_with_half_a_surrogate_pair() => Texts.ForAll(Texts.Ids, ids =>
    {
        string[] pieces = [.. Pieces(Bytes, ids)];
        return !pieces.SkipLast(1).Any(piece => piece.Length > 0 && char.IsHighSurrogate(piece[^1]));
    });

    [TestMethod]
    public void A_character_comes_with_its_last_byte()
    {
        string[] expected = ["a", "", "", "", "😀", "", "é", "b", ""];
        CollectionAssert.AreEqual(expected, Pieces(Bytes, Bytes.EncodeToIds("a😀éb")).ToArray());
    }

    [TestMethod]
    public void Two_halves_of_a_pair_spelled_one_by_one_come_as_one()
    {
        string[] expected = ["", "", "", "", "", "😀", ""];
        CollectionAssert.AreEqual(expected, Pieces(Bytes, [0xED, 0xA0, 0xBD, 0xED, 0xB8, 0x80]).ToArray());
    }

    [TestMethod]
    public void An_unknown_id_is_an_error() =>
        Assert.ThrowsExactly<InvalidOperationException>(() => new StreamingDecoder(Bytes).Append(257));

    [TestMethod]
    public void A_tokenizer_that_drops_the_first_space_keeps_the_others()
    {
        var words = new WordTokenizer(["▁the", "▁cat", "s", "▁", "\uFFFD"]);

        string[] expected = ["the", " cat", "s", " the", ""];
        CollectionAssert.AreEqual(expected, Pieces(words, [0, 1, 2, 0]).ToArray());
        Assert.AreEqual("the cats \uFFFD", string.Concat(Pieces(words, [0, 1, 2, 3, 4])));
    }

    private static IEnumerable<string> Pieces(ILanguageTokenizer tokenizer, IEnumerable<int> ids)
    {
        StreamingDecoder decoder = new StreamingDecoder(tokenizer);
        foreach (int id in ids)
            yield return decoder.Append(id);

        yield return decoder.Flush();
    }

    /// <summary>Marks words by a leading space, and drops that of the first word, as SentencePiece does.</summary>
    private sealed class WordTokenizer(string[] vocabulary) : ILanguageTokenizer
    {
        public int VocabularySize => vocabulary.Length;

        public int EndOfTextId => throw new NotSupportedException();

        public int? BeginningOfTextId => null;

        public IReadOnlyList<TokenizerFile> Files => [];

        public IReadOnlyList<int> EncodeText(string text) => throw new NotSupportedException();

        public int ByteCount(int id) => throw new NotSupportedException();

        public string Decode(IEnumerable<int> ids)
        {
            string text = string.Concat(ids.Select(id => vocabulary[id])).Replace('▁', ' ');
            return text.StartsWith(' ') ? text[1..] : text;
        }
    }
}
