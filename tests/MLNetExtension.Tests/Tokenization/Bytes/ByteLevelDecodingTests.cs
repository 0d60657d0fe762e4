using System.Buffers;
using System.Text;
using MLNetExtension.Tokenization.Bytes;

namespace MLNetExtension.Tests.Tokenization.Bytes;

[TestClass]
public sealed class ByteLevelDecodingTests
{
    private const int EndOfText = ByteLevelTokenizer.EndOfTextId;
    private static readonly ByteLevelTokenizer Tokenizer = new();

    [TestMethod]
    public void Bytes_decode_as_utf_8_decodes_them_wherever_no_surrogate_is_spelled() => Texts.ForAll(Texts.Ids, ids =>
    {
        byte[] bytes = [.. ids.Where(id => id != EndOfText).Select(id => (byte)id)];
        return SpellsSurrogate(bytes) || Tokenizer.Decode(bytes.Select(value => (int)value)) == Encoding.UTF8.GetString(bytes);
    });

    [TestMethod]
    [DataRow(new[] { 0x80 }, "\uFFFD")]
    [DataRow(new[] { 0xE2, 0x82 }, "\uFFFD")]
    [DataRow(new[] { 0xE2, 0x82, 0x41 }, "\uFFFDA")]
    [DataRow(new[] { 0xED, 0xA0 }, "\uFFFD\uFFFD")]
    [DataRow(new[] { 0xED, 0xA0, 0x41 }, "\uFFFD\uFFFDA")]
    [DataRow(new[] { 0xED, 0xA0, 0xBD, 0xED, 0xB8, 0x80 }, "😀")]
    [DataRow(new[] { 0xC0, 0x80 }, "\uFFFD\uFFFD")]
    [DataRow(new[] { 0xF5 }, "\uFFFD")]
    [DataRow(new[] { EndOfText, 0x41, EndOfText }, "A")]
    [DataRow(new[] { 0xE2, 0x82, EndOfText, 0xAC }, "\uFFFD\uFFFD")]
    public void What_is_not_valid_becomes_U_FFFD_and_end_of_text_nothing(int[] ids, string expected) =>
        Assert.AreEqual(expected, Tokenizer.Decode(ids));

    [TestMethod]
    [DataRow(-1)]
    [DataRow(257)]
    public void An_unknown_id_is_an_error_that_names_it(int id)
    {
        var error = Assert.ThrowsExactly<InvalidOperationException>(() => Tokenizer.Decode([65, id]));
        Assert.Contains($"Token id {id} ", error.Message);

        Assert.AreEqual(OperationStatus.InvalidData, Tokenizer.Decode([65, 0xE2, id, 66], new char[9], out int idsConsumed, out int charsWritten));
        Assert.AreEqual(2, idsConsumed);
        Assert.AreEqual(2, charsWritten);
    }

    [TestMethod]
    public void No_ids_at_all_is_an_error()
    {
        Assert.ThrowsExactly<ArgumentNullException>(() => Tokenizer.Decode(null!));
        Assert.ThrowsExactly<ArgumentNullException>(() => Tokenizer.Decode(null!, new char[1], out _, out _));
    }

    [TestMethod]
    public void A_span_that_is_large_enough_gets_the_text() => Texts.ForAll(Texts.Any, text =>
    {
        var buffer = new char[text.Length];
        OperationStatus status = Tokenizer.Decode(Tokenizer.EncodeToIds(text), buffer, out int idsConsumed, out int charsWritten);
        return status == OperationStatus.Done && idsConsumed == Tokenizer.CountTokens(text) && new string(buffer, 0, charsWritten) == text;
    });

    [TestMethod]
    [DataRow(2)]
    [DataRow(3)]
    [DataRow(7)]
    public void Small_spans_one_after_the_other_get_the_text_too(int size) => Texts.ForAll(Texts.Ids, ids =>
    {
        var text = new StringBuilder();
        var buffer = new char[size];
        IEnumerable<int> rest = ids;
        while (true)
        {
            OperationStatus status = Tokenizer.Decode(rest, buffer, out int idsConsumed, out int charsWritten);
            text.Append(buffer, 0, charsWritten);
            rest = rest.Skip(idsConsumed).ToArray();
            if (status != OperationStatus.DestinationTooSmall)
            {
                text.Append(Tokenizer.Decode(rest));
                return text.ToString() == Tokenizer.Decode(ids);
            }

            if (idsConsumed == 0)
                return false;
        }
    });

    [TestMethod]
    public void A_span_too_small_for_a_surrogate_pair_gets_none_of_it()
    {
        var buffer = new char[2];
        OperationStatus status = Tokenizer.Decode(Tokenizer.EncodeToIds("a😀"), buffer, out int idsConsumed, out int charsWritten);

        Assert.AreEqual(OperationStatus.DestinationTooSmall, status);
        Assert.AreEqual(1, idsConsumed);
        Assert.AreEqual(1, charsWritten);
        CollectionAssert.AreEqual(new[] { 'a', '\0' }, buffer);
    }

    [TestMethod]
    public void An_empty_span_is_enough_for_end_of_text_alone()
    {
        Assert.AreEqual(OperationStatus.Done, Tokenizer.Decode([EndOfText, EndOfText], [], out int idsConsumed, out int charsWritten));
        Assert.AreEqual(2, idsConsumed);
        Assert.AreEqual(0, charsWritten);
    }

    [TestMethod]
    public void An_unfinished_character_at_the_end_needs_more_data()
    {
        int[] ids = [.. Tokenizer.EncodeToIds("a😀")];
        var buffer = new char[3];

        Assert.AreEqual(OperationStatus.NeedMoreData, Tokenizer.Decode(ids[..^1], buffer, out int idsConsumed, out int charsWritten));
        Assert.AreEqual(1, idsConsumed);
        Assert.AreEqual(1, charsWritten);
        Assert.AreEqual(OperationStatus.Done, Tokenizer.Decode(ids[idsConsumed..], buffer.AsSpan(charsWritten), out idsConsumed, out charsWritten));
        Assert.AreEqual(4, idsConsumed);
        Assert.AreEqual("a😀", new string(buffer));
    }

    private static bool SpellsSurrogate(byte[] bytes)
    {
        for (int i = 0; i + 2 < bytes.Length; i++)
        {
            if (bytes[i] == 0xED && bytes[i + 1] is >= 0xA0 and <= 0xBF && bytes[i + 2] is >= 0x80 and <= 0xBF)
                return true;
        }

        return false;
    }
}
