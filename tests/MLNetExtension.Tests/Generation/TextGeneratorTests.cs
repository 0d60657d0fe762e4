using MLNetExtension.Generation;
using MLNetExtension.Models;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Tests.Evaluation;
using MLNetExtension.Tokenization;
using MLNetExtension.Tokenization.Bytes;
using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Generation;

[TestClass]
public sealed class TextGeneratorTests
{
    private const int EndOfText = ByteLevelTokenizer.EndOfTextId;
    private static readonly ByteLevelTokenizer Tokenizer = new();
    private static readonly GenerationOptions Greedy = new() { Temperature = 0, MaximumNewTokens = 30 };

    [TestMethod]
    public void The_model_reads_end_of_text_and_the_prompt_and_ends_at_end_of_text()
    {
        using var model = new ScriptedModel((EndOfText, 'o'), ('a', 'b'), ('b', 'c'), ('o', 'k'));
        TextGenerator generator = GeneratorOf(model);

        Assert.AreEqual("ok", generator.Generate("", Greedy));
        Assert.AreEqual("bc", generator.Generate("xa", Greedy));
        Assert.AreEqual("", generator.Generate("x", Greedy));
    }

    [TestMethod]
    public void Pieces_are_whole_characters_as_soon_as_they_are_there()
    {
        using var model = new ScriptedModel((EndOfText, 'a'), ('a', 0xF0), (0xF0, 0x9F), (0x9F, 0x98), (0x98, 0x80), (0x80, 'b'), ('b', 0xE2));

        string[] expected = ["a", "😀", "b", "\uFFFD"];
        CollectionAssert.AreEqual(expected, GeneratorOf(model).Stream("", Greedy).ToArray());
    }

    // Seen to fail with: the tokenizer taken for a Microsoft.ML.Tokenizers.Tokenizer, which its interface does not ask for.
    [TestMethod]
    public void A_tokenizer_of_one_s_own_needs_no_base_class()
    {
        using var model = new ScriptedModel((EndOfText, 'o'), ('o', 'k'));
        Assert.AreEqual("ok", new TextGenerator(model, new PlainTokenizer()).Generate("", Greedy));
    }

    [TestMethod]
    public void It_ends_at_the_maximum_number_of_tokens()
    {
        using var model = new ScriptedModel(('a', 'a'));
        Assert.AreEqual("aaa", GeneratorOf(model).Generate("a", Greedy with { MaximumNewTokens = 3 }));
    }

    [TestMethod]
    public void A_full_context_goes_on_with_the_last_tokens_that_fit()
    {
        using Gpt2Model model = TinyModels.Gpt2();
        var options = new GenerationOptions { MaximumNewTokens = 3 * TinyModels.ContextLength, Seed = 3 };

        foreach (string prompt in new[] { "", "abc", "This prompt alone is longer than the context is." })
        {
            int[] ids = [EndOfText, .. Tokenizer.EncodeToIds(prompt)];
            Assert.AreEqual(Tokenizer.Decode(ContinueByHand(model, ids, options)), GeneratorOf(model).Generate(prompt, options));
        }
    }

    [TestMethod]
    public void The_same_seed_gives_the_same_text_and_another_seed_another()
    {
        using Gpt2Model model = TinyModels.Gpt2();
        TextGenerator generator = GeneratorOf(model);
        var options = new GenerationOptions { Seed = 4, MaximumNewTokens = 30 };
        string text = generator.Generate("abc", options);

        Assert.AreEqual(text, generator.Generate("abc", options));
        Assert.AreEqual(text, string.Concat(generator.Stream("abc", options)));
        Assert.AreNotEqual(text, generator.Generate("abc", options with { Seed = 5 }));
    }

    [TestMethod]
    public void Top_k_of_1_and_a_tiny_top_p_are_greedy_whatever_the_seed()
    {
        using Gpt2Model model = TinyModels.Gpt2();
        TextGenerator generator = GeneratorOf(model);
        string text = generator.Generate("abc", Greedy);

        Assert.IsGreaterThan(0, text.Length);
        Assert.AreEqual(text, generator.Generate("abc", Greedy with { Seed = 6 }));
        Assert.AreEqual(text, generator.Generate("abc", new() { TopK = 1, Seed = 6, MaximumNewTokens = 30 }));
        Assert.AreEqual(text, generator.Generate("abc", new() { TopP = 1e-12, Seed = 7, MaximumNewTokens = 30 }));
        Assert.AreNotEqual(text, generator.Generate("abc", new() { Seed = 6, MaximumNewTokens = 30 }));
    }

    [TestMethod]
    public void Threads_share_one_generator()
    {
        using Gpt2Model model = TinyModels.Gpt2();
        TextGenerator generator = GeneratorOf(model);
        string[] expected = [.. Enumerable.Range(0, 8).Select(Text)];

        var texts = new string[expected.Length];
        Parallel.For(0, texts.Length, new ParallelOptions { MaxDegreeOfParallelism = 4 }, seed => texts[seed] = Text(seed));

        CollectionAssert.AreEqual(expected, texts);

        string Text(int seed) => generator.Generate("abc", new() { Seed = seed, MaximumNewTokens = 20 });
    }

    [TestMethod]
    public void Generating_leaves_no_tensors_behind()
    {
        using Gpt2Model model = TinyModels.Gpt2();
        TextGenerator generator = GeneratorOf(model);
        generator.Generate("abc", Greedy);
        long before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;

        generator.Generate("abc", Greedy);
        _ = generator.Stream("abc", Greedy).First();

        Assert.AreEqual(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }

    [TestMethod]
    public void Bad_arguments_are_refused_before_the_first_piece_is_asked_for()
    {
        using var model = new ScriptedModel();
        TextGenerator generator = GeneratorOf(model);

        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => generator.Stream("", new() { TopK = 0 }));
        Assert.ThrowsExactly<ArgumentNullException>(() => generator.Encode(null!));
    }

    [TestMethod]
    public void Cancelling_ends_the_text()
    {
        using var model = new ScriptedModel(('a', 'a'));
        using var cancellation = new CancellationTokenSource();
        using IEnumerator<string> pieces = GeneratorOf(model).Stream("a", Greedy, cancellation.Token).GetEnumerator();

        Assert.IsTrue(pieces.MoveNext());
        cancellation.Cancel();
        Assert.ThrowsExactly<OperationCanceledException>(() => pieces.MoveNext());
    }

    [TestMethod]
    public void A_model_in_training_mode_is_refused()
    {
        using Gpt2Model model = TinyModels.Gpt2();
        model.train();

        var error = Assert.ThrowsExactly<InvalidOperationException>(() => GeneratorOf(model).Generate("abc"));
        Assert.Contains("eval()", error.Message);
    }

    private static TextGenerator GeneratorOf(CausalLanguageModel model) => new(model, Tokenizer);

    private static List<int> ContinueByHand(Gpt2Model model, IEnumerable<int> prompt, GenerationOptions options)
    {
        var sampler = new TokenSampler(options);
        List<int> ids = [.. prompt];
        List<int> generated = [];
        while (generated.Count < options.MaximumNewTokens)
        {
            using var noGradient = no_grad();
            using var scope = NewDisposeScope();
            long[] context = [.. ids.TakeLast(TinyModels.ContextLength).Select(id => (long)id)];
            double[] logits = model.call(tensor(context, [1, context.Length])).data<double>().ToArray();
            int id = sampler.Sample(logits.AsSpan(logits.Length - 257));
            if (id == EndOfText)
                break;

            ids.Add(id);
            generated.Add(id);
        }

        return generated;
    }

    private sealed class PlainTokenizer : ILanguageTokenizer
    {
        public int VocabularySize => Tokenizer.VocabularySize;

        public int EndOfTextId => EndOfText;

        public int? BeginningOfTextId => null;

        public IReadOnlyList<TokenizerFile> Files => [];

        public IReadOnlyList<int> EncodeText(string text) => Tokenizer.EncodeText(text);

        public string Decode(IEnumerable<int> ids) => Tokenizer.Decode(ids);

        public int ByteCount(int id) => Tokenizer.ByteCount(id);
    }
}
