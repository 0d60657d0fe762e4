using System.Text;
using MLNetExtension.Tokenization;

namespace MLNetExtension.Tests.Tokenization.SentencePiece;

/// <summary>Models that were made to do harm.</summary>
[TestClass]
public sealed class HostileModelTests
{
    private const int Normal = 1, UserDefined = 4, Byte = 6;

    [TestMethod]
    [DataRow(float.NaN)]
    [DataRow(float.NegativeInfinity)]
    public void A_score_that_is_no_finite_number_is_refused(float score) => AssertRefused(Model(("a", score, Normal)), "has a score that is no finite number");

    [TestMethod]
    public void What_contradicts_itself_is_refused_by_name()
    {
        AssertRefused(Model(("", 0, Normal)), "has an empty piece, or one twice");
        AssertRefused(Model(("a", 0, Normal), ("a", 0, UserDefined)), "has an empty piece, or one twice");
        AssertRefused(Model(("a", 0, 77)), "has a piece of a kind that is not known");
        AssertRefused(Model((new string('a', 1025), 0, Normal)), "has a piece of more than 1024 characters");
        AssertRefused(Model(("<0x41>", 0, Byte)), "lacks pieces of bytes");
    }

    [TestMethod]
    [DataRow(new byte[] { 0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0x07 }, DisplayName = "a length larger than the file")]
    [DataRow(new byte[] { 0x08, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF }, DisplayName = "a number without an end")]
    [DataRow(new byte[] { 0x0C }, DisplayName = "a group that ends and never began")]
    [DataRow(new byte[] { 0x00 }, DisplayName = "a field of no number")]
    [DataRow(new byte[0], DisplayName = "an empty file")]
    public void What_is_no_message_is_refused_by_name(byte[] content) => AssertRefused(content, "");

    [TestMethod]
    public void Groups_nested_without_an_end_are_refused_by_name() => AssertRefused([.. Enumerable.Repeat((byte)0x0B, 1_000_000)], "");

    // Keys may end inside a character, and lead back to the first unit. Seen to fail without the limit of what a rule may put in.
    [TestMethod]
    public void Rules_of_normalization_that_were_made_to_do_harm_are_harmless()
    {
        AssertRefused([.. Model(("a", 0, Normal)), .. Field(3, Field(2, [4, 0, 0, 0, 0, 0, 0, 0, .. Enumerable.Repeat((byte)'x', 513)]))], "puts 513 bytes in place of a character, expected at most 512");
        AssertRefused([.. Model(("a", 0, Normal)), .. Field(3, Field(2, [255, 0, 0, 0]))], "damaged rules of normalization");

        // Each unit leads back to the first, so that every byte is found and is a key.
        var random = new Random(2);
        for (int i = 0; i < 200; i++)
        {
            byte[] units = new byte[4 * 256];
            random.NextBytes(units);
            for (int unit = 0; unit < 256; unit++)
                (units[4 * unit], units[(4 * unit) + 3]) = ((byte)unit, 0);

            ILanguageTokenizer tokenizer = Load([.. Model(("a", 0, Normal)), .. Field(3, Field(2, [0, 4, 0, 0, .. units, .. "xy\0 z\0"u8]))]);
            foreach (string text in (string[])["é😀aÿ", "\uD800a\uDC00", new string('é', 1000), "a  b"])
                _ = tokenizer.EncodeText(text);
        }
    }

    // One look at each user-defined piece for each character did not end.
    [TestMethod]
    [Timeout(60_000)]
    public void A_hundred_thousand_user_defined_pieces_are_found_in_linear_time()
    {
        const int Count = 100_000;
        ILanguageTokenizer tokenizer = Load(Model([.. Enumerable.Range(0, Count).Select(i => ($"<{i}>", 0f, UserDefined))]));
        IReadOnlyList<int> ids = tokenizer.EncodeText(string.Concat(Enumerable.Range(0, Count).Select(i => $"<{i}>")));
        CollectionAssert.AreEqual(Enumerable.Range(3, Count).ToArray(), ids.Where(id => id >= 3).ToArray());
    }

    // Every length of the longest piece was looked up at every position.
    [TestMethod]
    [Timeout(60_000)]
    public void A_long_piece_makes_a_long_text_no_slower()
    {
        ILanguageTokenizer tokenizer = Load(Model(("a", -1, Normal), (new string('b', 1024), -1, Normal)));
        Assert.IsGreaterThan(100_000, tokenizer.EncodeText(new string('a', 200_000)).Count);
    }

    private static void AssertRefused(byte[] content, string message)
    {
        string actual = Assert.ThrowsExactly<InvalidDataException>(() => Load(content)).Message;
        Assert.StartsWith("tokenizer.model cannot be read as a SentencePiece model: ", actual);
        Assert.Contains(message, actual);
    }

    private static ILanguageTokenizer Load(byte[] content) => TokenizerFolder.Load([new TokenizerFile("tokenizer.model", content)]);

    // A unigram model with the usual control pieces.
    private static byte[] Model(params (string Piece, float Score, int Kind)[] pieces)
    {
        (string, float, int)[] all = [("<unk>", 0, 2), ("<s>", 0, 3), ("</s>", 0, 3), .. pieces];
        return [.. all.SelectMany(piece => Field(1, [.. Field(1, Encoding.UTF8.GetBytes(piece.Item1)), 0x15, .. BitConverter.GetBytes(piece.Item2), 0x18, (byte)piece.Item3]))];
    }

    private static byte[] Field(int number, byte[] content)
    {
        List<byte> field = [(byte)((number << 3) | 2)];
        int length = content.Length;
        for (; length > 127; length >>= 7)
            field.Add((byte)(length | 128));

        return [.. field, (byte)length, .. content];
    }
}
