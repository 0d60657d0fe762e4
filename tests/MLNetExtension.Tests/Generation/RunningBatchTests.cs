using MLNetExtension.Generation;
using MLNetExtension.Models;
using MLNetExtension.Models.Custom;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Tests.Evaluation;
using MLNetExtension.Tests.Models.Llama;
using MLNetExtension.Tokenization.Bytes;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Generation;

/// <summary>Texts of many callers, which come and go between two tokens.</summary>
[TestClass]
internal sealed class RunningBatchTests
{
    private static readonly ByteLevelTokenizer Tokenizer = new();
    private static readonly GenerationOptions Greedy = new() { Temperature = 0, MaximumNewTokens = 5 };

    public static IEnumerable<object[]> Models =>
    [
        ["GPT-2", (Func<CausalLanguageModel>)(() => TinyModels.Gpt2())],
        ["Llama", (Func<CausalLanguageModel>)Llama],
        ["a module", (Func<CausalLanguageModel>)(() => new CustomLanguageModel(TinyModels.Gpt2(), TinyModels.ContextLength))],
    ];

    // Each text starts when the one before has its second token, so that all join a batch that runs, and they end at different times.
    [TestMethod]
    [DynamicData(nameof(Models))]
    public async Task A_text_gets_in_the_batch_what_it_gets_alone(string name, Func<CausalLanguageModel> make)
    {
        using CausalLanguageModel model = make();
        model.eval();
        TextGenerator generator = new(model, Tokenizer);
        string[] prompts = ["abc", "", "Quite a bit", "zz", "x", "what is it", "abc", "q r s", "0123456789", "a"];
        GenerationOptions Options(int i) => new() { MaximumNewTokens = 2 + 3 * i % 7, Seed = i, Temperature = i % 2 };
        string[] alone = [.. prompts.Select((prompt, i) => generator.Generate(prompt, Options(i)))];
        Assert.IsGreaterThan(7, alone.Distinct().Count(), "the texts differ");

        // Four at a time, so that some wait.
        RunningBatch batch = new(model, maximumTexts: 4);
        TaskCompletionSource[] started = [.. prompts.Select(_ => new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously))];
        string[] together = await Task.WhenAll(prompts.Select(async (prompt, i) =>
        {
            if (i > 0)
                await started[i - 1].Task;
            string text = "";
            await foreach (GeneratedToken token in batch.GenerateAsync(generator.Start(generator.Encode(prompt), Options(i))))
            {
                text += token.Text;
                started[i].TrySetResult();
            }
            return text;
        }));

        CollectionAssert.AreEqual(alone, together, name);
        Assert.AreEqual(0, batch.Count);
    }

    // All wait together for the first pass, so that later ones join at once, of unequal lengths.
    [TestMethod]
    public async Task Many_texts_are_read_side_by_side()
    {
        using ManualResetEventSlim gate = new();
        using ScriptedModel model = new(257, 64, ('a', 'b'), ('b', 'c'), ('c', 'a')) { Caches = true, OnRead = _ => gate.Wait() };
        TextGenerator generator = new(model, Tokenizer);
        RunningBatch batch = new(model);
        Task<string> first = Read(batch, generator.Start(generator.Encode("a"), Greedy));
        SpinWait.SpinUntil(() => model.Read.Count == 1);
        Task<string>[] more = [.. Enumerable.Range(1, 7).Select(i => Read(batch, generator.Start(generator.Encode(new string('a', i)), Greedy)))];
        Assert.AreEqual(8, batch.Count);
        gate.Set();

        Assert.AreEqual("bcabc", await first);
        foreach (string text in await Task.WhenAll(more))
            Assert.AreEqual("bcabc", text);
        CollectionAssert.AreEqual(new[] { "1x2", "1x1", "7x8", "8x1", "8x1", "8x1", "7x1" }, model.Read);
    }

    // The model waits, before its second token, for the reader to have the first.
    [TestMethod]
    public async Task A_token_is_given_before_the_next_is_computed()
    {
        using SemaphoreSlim allowed = new(1);
        using ScriptedModel model = new(257, 64, ('a', 'b'), ('b', 'a')) { Caches = true, OnRead = _ => allowed.Wait() };
        TextGenerator generator = new(model, Tokenizer);
        string text = "";
        await foreach (GeneratedToken token in new RunningBatch(model).GenerateAsync(generator.Start(generator.Encode("a"), Greedy)))
        {
            text += token.Text;
            allowed.Release();
        }
        Assert.AreEqual("babab", text);
    }

    [TestMethod]
    public async Task A_text_whose_reader_has_gone_leaves_and_the_others_go_on()
    {
        using ScriptedModel model = new(257, 10_000, ('a', 'b'), ('b', 'a')) { Caches = true };
        TextGenerator generator = new(model, Tokenizer);
        RunningBatch batch = new(model);
        using CancellationTokenSource cancellation = new();
        GenerationOptions endless = Greedy with { MaximumNewTokens = int.MaxValue };
        await Assert.ThrowsAsync<OperationCanceledException>(async () =>
        {
            await foreach (GeneratedToken _ in batch.GenerateAsync(generator.Start(generator.Encode("a"), endless), cancellation.Token))
                await cancellation.CancelAsync();
        });
        await foreach (GeneratedToken _ in batch.GenerateAsync(generator.Start(generator.Encode("a"), endless)))
            break;
        Assert.AreEqual("babab", await Read(batch, generator.Start(generator.Encode("a"), Greedy)));
        Assert.IsTrue(SpinWait.SpinUntil(() => batch.Count == 0, TimeSpan.FromSeconds(20)), "nothing is generated for nobody");
    }

    // The three are read in one pass.
    [TestMethod]
    public async Task Logits_that_are_no_numbers_end_their_text_alone()
    {
        using ManualResetEventSlim gate = new();
        using ScriptedModel model = new(257, 64, ('a', 'b'), ('b', 'a')) { Caches = true, OnRead = _ => gate.Wait() };
        using (no_grad())
            model.TokenEmbedding['x'].fill_(double.NaN);
        TextGenerator generator = new(model, Tokenizer);
        RunningBatch batch = new(model);
        Task<string>[] texts = [.. new[] { "a", "a", "x", "b" }.Select(prompt => Read(batch, generator.Start(generator.Encode(prompt), Greedy)))];
        gate.Set();

        InvalidOperationException error = await Assert.ThrowsExactlyAsync<InvalidOperationException>(() => texts[2]);

        Assert.Contains("logit NaN", error.Message);
        Assert.AreEqual("babab", await texts[1]);
        Assert.AreEqual("ababa", await texts[3]);
        Assert.Contains("3x2", model.Read);
        Assert.IsTrue(SpinWait.SpinUntil(() => batch.Count == 0, TimeSpan.FromSeconds(20)));
    }

    [TestMethod]
    public async Task A_pass_that_fails_ends_its_texts_and_later_ones_start_anew()
    {
        bool fails = true;
        using ScriptedModel model = new(257, 64, ('a', 'b'), ('b', 'a')) { Caches = true, OnRead = shape => { if (fails && shape == "1x1") throw new InvalidOperationException("No memory."); } };
        TextGenerator generator = new(model, Tokenizer);
        RunningBatch batch = new(model);
        InvalidOperationException error = await Assert.ThrowsExactlyAsync<InvalidOperationException>(() => Read(batch, generator.Start(generator.Encode("a"), Greedy)));
        Assert.AreEqual("No memory.", error.Message);
        fails = false;
        Assert.AreEqual("babab", await Read(batch, generator.Start(generator.Encode("a"), Greedy)));
    }

    [TestMethod]
    public async Task A_model_that_is_disposed_ends_its_texts()
    {
        ScriptedModel model = new(257, 10_000, ('a', 'b'), ('b', 'a')) { Caches = true };
        TextGenerator generator = new(model, Tokenizer);
        RunningBatch batch = new(model);
        await Assert.ThrowsExactlyAsync<ObjectDisposedException>(async () =>
        {
            await foreach (GeneratedToken _ in batch.GenerateAsync(generator.Start(generator.Encode("a"), Greedy with { MaximumNewTokens = 9_000 })))
                model.Lifetime.Close();
        });
    }

    [TestMethod]
    [DataRow("a", 2, "bc", nameof(FinishReason.MaximumTokens), 2)]
    [DataRow("a", 9, "bcd", nameof(FinishReason.EndOfText), 4)]
    [DataRow("a", 3, "bcd", nameof(FinishReason.MaximumTokens), 3)]
    [DataRow("d", 9, "", nameof(FinishReason.EndOfText), 1)]
    [DataRow("s", 9, "t", nameof(FinishReason.StopString), 3)]
    [DataRow("aaaaaa", 9, "b", nameof(FinishReason.MaximumTokens), 1)]
    public async Task A_text_says_why_it_ended_and_how_many_tokens_were_read_and_chosen(string prompt, int maximum, string expected, string reason, int chosen)
    {
        using ScriptedModel model = new(('a', 'b'), ('b', 'c'), ('c', 'd'), ('s', 't'), ('t', 'o'), ('o', 'p'));
        TextGenerator generator = new(model, Tokenizer);
        TextContinuation text = generator.Start(generator.Encode(prompt), Greedy with { MaximumNewTokens = maximum, StopStrings = ["op"] });

        Assert.AreEqual(expected, await Read(new RunningBatch(model), text));

        Assert.AreEqual(reason, text.Finished.ToString());
        Assert.AreEqual((prompt.Length + 1, chosen), (text.PromptCount, text.ChosenCount));
    }

    [TestMethod]
    public void A_prompt_that_fills_the_context_is_refused()
    {
        using ScriptedModel model = new(('a', 'b'));
        TextGenerator generator = new(model, Tokenizer);
        ArgumentException error = Assert.ThrowsExactly<ArgumentException>(() => generator.Start(generator.Encode("aaaaaaa"), Greedy));
        Assert.Contains("The prompt has 8 tokens; the model's context holds 8, at least one of them a new one.", error.Message);
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => generator.Start(generator.Encode("a"), Greedy with { TopP = 2 }));
    }

    // Against log-softmax of whole rows, with every position read anew.
    [TestMethod]
    public async Task Tokens_are_scored_as_the_model_finds_them_those_of_the_prompt_and_those_chosen()
    {
        using Gpt2Model model = TinyModels.Gpt2();
        TextGenerator generator = new(model, Tokenizer);
        int[] prompt = [.. generator.Encode("some text")];
        TextContinuation text = generator.Start(prompt, new() { Temperature = 3, TopK = 5, RepetitionPenalty = 2, Seed = 1, MaximumNewTokens = 6 }, scored: 3);
        List<TokenScore> chosen = [];
        await foreach (GeneratedToken token in new RunningBatch(model).GenerateAsync(text))
            chosen.Add(token.Score!);
        IReadOnlyList<TokenScore?> read = new TextScorer(model, Tokenizer.VocabularySize).Score(prompt, 3);

        Assert.IsNull(read[0]);
        Assert.HasCount(6, chosen);
        using var scope = NewDisposeScope();
        long[] all = [.. prompt, .. chosen.Select(score => score.Id)];
        Tensor expected = nn.functional.log_softmax(model.call(tensor(all, [1, all.Length])), -1)[0];                // [T,V]
        TokenScore[] scores = [.. read.Skip(1).Select(score => score!), .. chosen];
        for (int t = 0; t < scores.Length; t++)
        {
            Assert.AreEqual(all[t + 1], scores[t].Id);
            Assert.AreEqual(expected[t, all[t + 1]].item<double>(), scores[t].LogProbability, 1e-9);
            (Tensor values, Tensor ids) = expected[t].topk(3);
            CollectionAssert.AreEqual(ids.data<long>().Select(id => (int)id).ToArray(), scores[t].Most.Select(each => each.Id).ToArray());
            for (int i = 0; i < 3; i++)
                Assert.AreEqual(values[i].item<double>(), scores[t].Most[i].LogProbability, 1e-9);
        }
        Assert.IsTrue(chosen.Any(score => score.Id != score.Most[0].Id), "what is chosen is not what is scored highest");
    }

    private static async Task<string> Read(RunningBatch batch, TextContinuation text)
    {
        string all = "";
        await foreach (GeneratedToken token in batch.GenerateAsync(text))
            all += token.Text;
        return all;
    }

    private static CausalLanguageModel Llama() => TinyLlama.Make(TinyLlama.Configuration with { VocabularySize = 257 });
}
