using MLNetExtension.Tokenization;
using MLNetExtension.Tokenization.Bytes;

namespace MLNetExtension.Tests.Tokenization;

[TestClass]
public sealed class StreamingDecoderTests
{
    private static readonly ByteLevelTokenizer Bytes = new();

    public static IEnumerable<object[]> Names => TestTokenizers.Names.Select(name => new object[] { name });

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

    // Ids that complete no character, or have no text, were all decoded again for each that came. On the old code 20,000 did not end in 20 s.
    [TestMethod]
    [Timeout(20_000)]
    [DataRow(0x80)]
    [DataRow(0xF0)]
    [DataRow(ByteLevelTokenizer.EndOfTextId)]
    public void A_stream_that_completes_no_character_takes_linear_time(int id)
    {
        int[] ids = [.. Enumerable.Repeat(id, 20_000), .. Bytes.EncodeToIds("a😀")];
        Assert.AreEqual(Bytes.Decode(ids), string.Concat(Pieces(Bytes, ids)));
    }

    // Seen to fail with: all that waits returned after 32 ids, be it open or not; and spaces taken for context (the two models that drop spaces at the start of a text).
    [TestMethod]
    [DynamicData(nameof(Names))]
    public void Any_ids_give_pieces_that_together_are_the_whole(string name)
    {
        ILanguageTokenizer tokenizer = TestTokenizers.Load(name);
        var random = new Random(7);
        for (int i = 0; i < 60; i++)
        {
            // Runs, since it is long ones that wait.
            int[] ids = [.. Enumerable.Range(0, 12).SelectMany(_ => Enumerable.Repeat(RandomId(tokenizer, random), random.Next(1, 60)))];
            Assert.AreEqual(tokenizer.Decode(ids), string.Concat(Pieces(tokenizer, ids)));
        }
    }

    [TestMethod]
    [DynamicData(nameof(Names))]
    public void An_id_outside_the_vocabulary_is_an_error_wherever_it_stands(string name)
    {
        ILanguageTokenizer tokenizer = TestTokenizers.Load(name);
        foreach (int id in (int[])[-1, int.MinValue, int.MaxValue, tokenizer.VocabularySize, 1 << 24])
        {
            Assert.Contains($"Token id {id} ", Assert.ThrowsExactly<InvalidOperationException>(() => tokenizer.Decode([tokenizer.EndOfTextId, id])).Message);
            Assert.ThrowsExactly<InvalidOperationException>(() => tokenizer.ByteCount(id));
            Assert.ThrowsExactly<InvalidOperationException>(() => new StreamingDecoder(tokenizer).Append(id));
        }
    }

    private static int RandomId(ILanguageTokenizer tokenizer, Random random)
    {
        while (true)
        {
            int id = random.Next(tokenizer.VocabularySize);
            if (tokenizer is ByteTokenizer bytes && bytes.TryGetBytes(id, out _))
                return id;
        }
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
