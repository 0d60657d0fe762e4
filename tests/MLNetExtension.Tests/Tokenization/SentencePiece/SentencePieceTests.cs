using System.Text;
using MLNetExtension.Tokenization;
using MLNetExtension.Tokenization.SentencePiece;

namespace MLNetExtension.Tests.Tokenization.SentencePiece;

[TestClass]
public sealed class SentencePieceTests
{
    private const int Control = 3;
    private const int Byte = 6;

    private static TokenizerFile Model { get; } = new("tokenizer.model", MakeModel());

    [TestMethod]
    public void A_model_is_read()
    {
        var tokenizer = (SentencePieceLanguageTokenizer)TokenizerFolder.Load([Model]);
        Assert.AreEqual((1, 2), (tokenizer.BeginningOfTextId!.Value, tokenizer.EndOfTextId));
        Assert.AreEqual(3 + 256 + 6, tokenizer.VocabularySize);
        CollectionAssert.AreEqual(new[] { 264, 263, 3 + 0xC3, 3 + 0xA9 }, tokenizer.EncodeText("ab bé").ToArray());
        Assert.AreEqual("ab bé", tokenizer.Decode(tokenizer.EncodeText("ab bé")));
        Assert.AreEqual(Encoding.UTF8.GetByteCount(" ab bé"), tokenizer.EncodeText("ab bé").Sum(tokenizer.ByteCount));
        Assert.AreEqual(0, tokenizer.ByteCount(tokenizer.EndOfTextId));
        Assert.ThrowsExactly<InvalidOperationException>(() => tokenizer.ByteCount(265));

        StreamingDecoder decoder = new StreamingDecoder(tokenizer);
        Assert.AreEqual("ab bé", string.Concat(tokenizer.EncodeText("ab bé").Select(decoder.Append)) + decoder.Flush());
    }

    // Seen to fail where the limit is not passed on (every call gave all the tokens), and where the tokens of beginning and end are added.
    [TestMethod]
    public void A_limit_gives_the_first_or_the_last_tokens_and_no_more()
    {
        const string Text = "ab bé ab";
        var tokenizer = (SentencePieceLanguageTokenizer)TokenizerFolder.Load([Model]);
        IReadOnlyList<int> all = tokenizer.EncodeText(Text);
        for (int maximum = 1; maximum <= all.Count + 1; maximum++)
        {
            IReadOnlyList<int> ids = tokenizer.EncodeToIds(Text, maximum, out string? normalized, out int consumed);
            int head = tokenizer.GetIndexByTokenCount(Text, maximum, out _, out int headCount);
            int tail = tokenizer.GetIndexByTokenCountFromEnd(Text, maximum, out _, out int tailCount);

            Assert.IsLessThanOrEqualTo(maximum, ids.Count);
            CollectionAssert.AreEqual(all.Take(ids.Count).ToArray(), ids.ToArray());
            Assert.AreEqual((consumed, ids.Count), (head, headCount));
            Assert.AreEqual(tokenizer.Decode(ids), normalized![..consumed].Replace('\u2581', ' ').TrimStart());
            Assert.IsLessThanOrEqualTo(maximum, tailCount);
            Assert.AreEqual(all.Skip(all.Count - tailCount).Sum(tokenizer.ByteCount), Encoding.UTF8.GetByteCount(normalized[tail..].Replace('\u2581', ' ')));
            Assert.AreEqual(ids.Count == all.Count, maximum >= all.Count);
        }

        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => tokenizer.EncodeToIds(Text, 0, out _, out _));
    }

    [TestMethod]
    public void What_is_no_model_is_refused()
    {
        var damaged = new TokenizerFile("tokenizer.model", new byte[] { 255, 255 });
        Assert.StartsWith("tokenizer.model cannot be read", Assert.ThrowsExactly<InvalidDataException>(() => TokenizerFolder.Load([damaged])).Message);
    }

    // The protocol buffer of sentencepiece_model.proto: pieces (field 1), the trainer's settings (2) and the normalizer's (3).
    private static byte[] MakeModel()
    {
        var model = new MemoryStream();
        (string Piece, float Score, int Type)[] pieces =
        [
            ("<unk>", 0, 2), ("<s>", 0, Control), ("</s>", 0, Control),
            .. Enumerable.Range(0, 256).Select(value => ($"<0x{value:X2}>", 0f, Byte)),
            ("\u2581", -10, 1), ("a", -11, 1), ("b", -12, 1), ("\u2581a", -1, 1), ("\u2581b", -2, 1), ("\u2581ab", -3, 1),
        ];
        foreach ((string piece, float score, int type) in pieces)
            Write(model, 1, [.. Field(1, Encoding.UTF8.GetBytes(piece)), 0x15, .. BitConverter.GetBytes(score), 0x18, (byte)type]);

        Write(model, 2, [0x18, 2, 0x98, 0x02, 1]); // model_type BPE, byte_fallback
        Write(model, 3, [.. Field(1, "identity"u8.ToArray()), 0x18, 1, 0x20, 0, 0x28, 1]); // dummy prefix, no extra white space removed, escaped
        return model.ToArray();
    }

    private static void Write(MemoryStream stream, int number, byte[] content) => stream.Write(Field(number, content));

    private static byte[] Field(int number, byte[] content) => [(byte)((number << 3) | 2), (byte)content.Length, .. content];
}
