using System.Text;
using FsCheck;
using FsCheck.Fluent;
using MLNetExtension.Data;
using MLNetExtension.Tests.Tokenization;
using MLNetExtension.Tokenization;
using MLNetExtension.Tokenization.Bytes;

namespace MLNetExtension.Tests.Data;

/// <summary>Rows that are longer than the context, split into pieces.</summary>
[TestClass]
public sealed class LongRowsTests
{
    private const int Ignored = TokenExample.IgnoredTarget;

    public static IEnumerable<string> Tokenizers => TestTokenizers.Names;

    [TestMethod]
    public void For_any_prompt_completion_and_context_every_token_of_the_completion_is_a_target_once() => Prop.ForAll(
        (from prompt in ArbMap.Default.GeneratorFor<string>().Select(text => text ?? "")
         from completion in ArbMap.Default.GeneratorFor<string>().Select(text => text ?? "")
         from context in Gen.Choose(1, 12)
         select (prompt, completion, context)).ToArbitrary(),
        draw =>
        {
            TokenExample[] pieces = Encode(new ByteLevelTokenizer(), new RowContent.PromptCompletion(draw.prompt, draw.completion, 2), draw.context);
            int[] whole = [ByteLevelTokenizer.EndOfTextId, .. new ByteLevelTokenizer().EncodeText(draw.prompt), .. new ByteLevelTokenizer().EncodeText(draw.completion), ByteLevelTokenizer.EndOfTextId];
            int first = whole.Length - 1 - new ByteLevelTokenizer().EncodeText(draw.completion).Count;
            return pieces.SelectMany(piece => piece.Targets).Where(target => target != Ignored).SequenceEqual(whole[first..])
                && pieces.All(piece => piece.Length <= draw.context && piece.HasTargets && piece.Position == 3 && piece.Weight == 2 && !piece.WasTruncated)
                && pieces.All(piece => Enumerable.Range(0, piece.Length - 1).All(t => piece.Targets[t] == Ignored || piece.Targets[t] == piece.Ids[t + 1]))
                && pieces.Zip(pieces.Skip(1)).All(pair => pair.First.Targets[^1] == Ignored || pair.First.Targets[^1] == pair.Second.Ids[0])
                && pieces.Length <= (whole.Length - 1 + draw.context - 1) / draw.context
                && pieces.Sum(piece => piece.TargetBytes) == Encoding.UTF8.GetByteCount(draw.completion);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(300).WithReplay(20261128, 1));

    [TestMethod]
    [DynamicData(nameof(Tokenizers))]
    public void Pieces_put_together_are_the_text_and_their_bytes_those_of_the_text(string name)
    {
        ILanguageTokenizer tokenizer = TestTokenizers.Load(name);
        string text = string.Concat(Enumerable.Repeat(Golden.Corpus, 3)) + " naïve ﬁ Å 漢字 😀  ";
        TokenExample[] pieces = Encode(tokenizer, new RowContent.Text(text, 1), 16);

        int beginning = tokenizer.BeginningOfTextId ?? tokenizer.EndOfTextId;
        int[] whole = [beginning, .. tokenizer.EncodeText(text), tokenizer.EndOfTextId];
        CollectionAssert.AreEqual(whole[1..], pieces.SelectMany(piece => piece.Targets).ToArray());
        CollectionAssert.AreEqual(whole[..^1], pieces.SelectMany(piece => piece.Ids).ToArray());
        Assert.AreEqual(Encoding.UTF8.GetByteCount(text), pieces.Sum(piece => piece.TargetBytes));
        Assert.IsTrue(pieces.All(piece => piece.TargetBytes >= 0));
        foreach (TokenExample piece in pieces[1..^1])
            Assert.AreEqual(piece.Targets.Sum(tokenizer.ByteCount), piece.TargetBytes, 1, name);
    }

    // Rows that fit are what they were, so that trainings of earlier versions can be resumed.
    [TestMethod]
    [DynamicData(nameof(Tokenizers))]
    public void A_row_that_fits_is_the_same_split_or_truncated(string name)
    {
        ILanguageTokenizer tokenizer = TestTokenizers.Load(name);
        RowContent[] rows =
        [
            new RowContent.Text("", 1), new RowContent.Text("the fox ", 0.5), new RowContent.Text("漢字 Å", 0), new RowContent.PromptCompletion("p q", "", 1), new RowContent.PromptCompletion("", "ab", 1),
            new RowContent.TokenIds([], false, false, 1), new RowContent.TokenIds([7], false, false, 1), new RowContent.TokenIds([7, 8], true, true, 1), new RowContent.TokenIds([], true, false, 1),
        ];
        foreach (RowContent row in rows)
        {
            TokenExample expected = new TokenExampleEncoder(tokenizer, 60).Encode(row, 3), piece = Encode(tokenizer, row, 60).Single();
            CollectionAssert.AreEqual(expected.Ids, piece.Ids, $"{row}");
            CollectionAssert.AreEqual(expected.Targets, piece.Targets, $"{row}");
            Assert.AreEqual((expected.TargetBytes, expected.WasTruncated, expected.Weight, expected.Position), (piece.TargetBytes, piece.WasTruncated, piece.Weight, piece.Position), $"{row}");
        }
    }

    [TestMethod]
    public void A_chat_is_split_over_its_tokens_and_pieces_in_which_nobody_is_asked_are_left_out()
    {
        const string Chat = """[{"role":"user","content":"what is it that you want to know about the fox and the dog"},{"role":"assistant","content":"yes and no"},{"role":"user","content":"why"},{"role":"assistant","content":"so"}]""";
        ILanguageTokenizer tokenizer = Golden.Tokenizer("qwen2");
        TokenExample whole = new TokenExampleEncoder(tokenizer, 1000).Encode(new RowContent.Chat(Chat, 1), 3);
        TokenExample[] pieces = Encode(tokenizer, new RowContent.Chat(Chat, 1), 8);

        CollectionAssert.AreEqual(whole.Targets.Where(target => target != Ignored).ToArray(), pieces.SelectMany(piece => piece.Targets).Where(target => target != Ignored).ToArray());
        Assert.AreEqual(whole.TargetBytes, pieces.Sum(piece => piece.TargetBytes));
        Assert.IsTrue(pieces.All(piece => piece.HasTargets));
        Assert.IsLessThan((whole.Length + 7) / 8, pieces.Length);
    }

    [TestMethod]
    public void A_row_of_ids_is_split_too()
    {
        TokenExample[] pieces = Encode(new ByteLevelTokenizer(), new RowContent.TokenIds([1, 2, 3, 4, 5, 6, 7], true, true, 1), 3);
        string[] expected = ["256 1 2 > 1 2 3", "3 4 5 > 4 5 6", "6 7 > 7 256"];
        CollectionAssert.AreEqual(expected, pieces.Select(piece => $"{string.Join(' ', piece.Ids)} > {string.Join(' ', piece.Targets)}").ToArray());
    }

    [TestMethod]
    [DynamicData(nameof(Tokenizers))]
    public void The_parts_of_a_long_text_are_its_ids(string name)
    {
        ILanguageTokenizer tokenizer = TestTokenizers.Load(name);
        foreach (string unit in (string[])["the quick brown fox, it's 12 years old. ", "a", "漢字", "😀", "ab\n", "\uD800", Golden.Corpus])
        {
            string text = string.Concat(Enumerable.Repeat(unit, 140_001 / unit.Length)) + "e";
            List<int> ids = [];
            int parts = 0;
            tokenizer.EncodeParts(text, part =>
            {
                parts++;
                ids.AddRange(part);
            });
            CollectionAssert.AreEqual(tokenizer.EncodeText(text).ToArray(), ids, $"{name}, {unit}");
            if (name == "bytes")
                Assert.IsGreaterThan(1, parts);
        }
    }

    private static TokenExample[] Encode(ILanguageTokenizer tokenizer, RowContent row, int context)
    {
        List<TokenExample> pieces = [];
        new TokenExampleEncoder(tokenizer, context, LongRows.Split).EncodeAll(row, 3, pieces.Add);
        return [.. pieces];
    }
}
