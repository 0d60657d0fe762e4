using System.Collections.Concurrent;
using Microsoft.ML;
using MLNetExtension.Generation;
using MLNetExtension.MLNet.Archive;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Tests.Evaluation;
using MLNetExtension.Tokenization.Bytes;
using static MLNetExtension.Tests.MLNet.Tiny;

namespace MLNetExtension.Tests.MLNet.Scoring;

[TestClass]
public sealed class GeneratedTextsTests
{
    private const int MostTogether = 16;

    private static readonly MLContext Context = new(seed: 1);
    private static readonly GenerationOptions Drawn = new() { Temperature = 1, MaximumNewTokens = 6, Seed = 7 };

    // Row i begins with another letter than row j and is as long as i, so no two prompts are alike and a row has a text of its own.
    private static readonly string[] Texts = [.. Enumerable.Range(0, 80).Select(i => new string((char)('0' + i % 70), 1 + i % 12))];

    // Seen to fail with: the second text of a group drawn with the next seed.
    [TestMethod]
    public void Texts_are_generated_together_and_each_is_what_it_is_alone()
    {
        using Lent lent = new();

        string[] texts = [.. Cells.Read(lent.View, "GeneratedText").Select(row => (string)row[0])];

        Assert.AreEqual(MostTogether, lent.Together.Max());
        Assert.IsLessThan(Texts.Length * Drawn.MaximumNewTokens / 4, lent.Together.Count, "passes");
        CollectionAssert.AreEqual(lent.Alone, texts);
        Assert.IsGreaterThan(40, texts.Distinct().Count(), "the control: rows differ");
        Assert.AreNotEqual(lent.Generator.Generate([lent.Generator.Encode(Texts[0]), lent.Generator.Encode(Texts[1])], Drawn)[1], texts[1], "the control: another seed gives another text");
    }

    [TestMethod]
    public void A_text_that_is_read_alone_costs_no_other()
    {
        using Lent lent = new();
        using var cursor = lent.View.GetRowCursor(lent.View.Schema);
        var text = Cells.Getter(cursor, lent.View.Schema["GeneratedText"]);
        for (int i = 0; i < 10; i++)
            Assert.IsTrue(cursor.MoveNext());
        Assert.IsEmpty(lent.Together);

        Assert.AreEqual(lent.Alone[9], text());
        CollectionAssert.AreEqual(new long[] { 1 }, lent.Together.Distinct().ToArray());
    }

    // Seen to fail with: groups that grow whoever reads. A reader of every third text gets none but those twice over: groups of 1 and of 2, and never more.
    [TestMethod]
    public void A_reader_who_leaves_texts_out_makes_few_in_vain()
    {
        using Lent lent = new();
        using var cursor = lent.View.GetRowCursor(lent.View.Schema);
        var text = Cells.Getter(cursor, lent.View.Schema["GeneratedText"]);
        for (int i = 0; cursor.MoveNext(); i++)
        {
            if (i % 3 == 0)
                Assert.AreEqual(lent.Alone[i], text());
        }
        Assert.AreEqual(2, lent.Together.Max());
    }

    [TestMethod]
    public void Where_several_cannot_be_generated_together_each_is_generated_alone()
    {
        using Lent lent = new(together => together > 1 ? throw new InvalidOperationException("too many") : true);
        CollectionAssert.AreEqual(lent.Alone, Cells.Read(lent.View, "GeneratedText").Select(row => (string)row[0]).ToArray());

        using Lent broken = new(_ => throw new InvalidDataException("each"));
        Assert.AreEqual("each", Assert.ThrowsExactly<InvalidDataException>(() => Cells.Read(broken.View, "GeneratedText")).Message, "and what one throws alone is thrown");
    }

    // By a model with the same weights, once for all tests.
    private static readonly Lazy<string[]> EachAlone = new(() =>
    {
        using Gpt2Model network = TinyModels.Gpt2();
        TextGenerator generator = new(network, new ByteLevelTokenizer());
        return [.. Texts.Select(text => generator.Generate(generator.Encode(text), Drawn))];
    });

    private sealed class Lent : IDisposable
    {
        private readonly CausalLanguageModelTransformer _model;

        public Lent(Func<long, bool>? allow = null)
        {
            Gpt2Model network = TinyModels.Gpt2();
            var options = new CausalLanguageModelTrainer.Options { Outputs = new() { Generation = Drawn } };
            _model = new CausalLanguageModelTransformer(new TrainedLanguageModel(network, new ByteLevelTokenizer()), options, null);
            Generator = new TextGenerator(network, new ByteLevelTokenizer());
            network.Blocks[0].register_forward_pre_hook((_, hidden, layout) =>
            {
                allow?.Invoke(hidden.shape[0]);
                Together.Add(hidden.shape[0]);
                return (hidden, layout);
            });
            View = _model.Transform(Rows(Context, Texts));
        }

        public TextGenerator Generator { get; }

        public string[] Alone => EachAlone.Value;

        public ConcurrentBag<long> Together { get; } = [];

        public IDataView View { get; }

        public void Dispose() => _model.Dispose();
    }
}
