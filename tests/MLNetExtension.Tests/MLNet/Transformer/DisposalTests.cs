using System.Collections.Concurrent;
using System.IO.Compression;
using Microsoft.ML;
using MLNetExtension.Generation;
using MLNetExtension.MLNet.Archive;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Tests.Evaluation;
using MLNetExtension.Tests.Samples;
using MLNetExtension.Tokenization.Bytes;
using TorchSharp;
using TorchSharp.Modules;
using static MLNetExtension.Tests.MLNet.Tiny;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.MLNet.Transformer;

/// <summary>A model that is disposed of while it is used: the call under way finishes, later ones are refused, and the network is freed. Before, the process ended with SIGSEGV.</summary>
[TestClass]
public sealed class DisposalTests
{
    private static readonly GenerationOptions Greedy = new() { Temperature = 0, MaximumNewTokens = 12 };

    [TestMethod]
    public void Scoring_under_way_finishes_and_the_next_is_refused()
    {
        var mlContext = new MLContext(seed: 1);
        using HookedModel hooked = new(mlContext);
        var data = Rows(mlContext, Texts);
        var expected = Score(mlContext, hooked.Model, data);
        var scored = hooked.Model.Transform(data);
        long live = LiveTensors;

        hooked.DisposeAtPass(2);
        var actual = mlContext.Data.CreateEnumerable<Scored>(scored, reuseRowObject: false).ToList();

        CollectionAssert.AreEqual(expected.Select(row => row.LossSum).ToArray(), actual.Select(row => row.LossSum).ToArray());
        Assert.IsTrue(hooked.IsFreed);
        Assert.AreEqual(live - hooked.Tensors, LiveTensors);
        AssertDisposed(() => _ = mlContext.Data.CreateEnumerable<Scored>(scored, reuseRowObject: false).ToList());
        AssertDisposed(() => hooked.Model.Transform(data));
        hooked.Model.Dispose();
    }

    [TestMethod]
    public void Generation_under_way_finishes_and_the_next_is_refused()
    {
        var mlContext = new MLContext(seed: 1);
        using HookedModel one = new(mlContext), several = new(mlContext);
        string expected = one.Generator.Generate("the fox", Greedy);
        Assert.AreEqual(12, expected.Length);

        one.DisposeAtPass(3);
        several.DisposeAtPass(3);
        Assert.AreEqual(expected, one.Generator.Generate("the fox", Greedy));
        CollectionAssert.AreEqual(new[] { expected, expected }, several.Generator.Generate(["the fox", "dog"], Greedy).ToArray());

        Assert.IsTrue(one.IsFreed && several.IsFreed);
        AssertDisposed(() => one.Generator.Generate("the fox", Greedy));
        AssertDisposed(() => several.Generator.Generate(["the fox"], Greedy));
        AssertDisposed(() => one.Generator.Stream("the fox", Greedy));
    }

    // Between two pieces nothing is under way: an enumerator that is left there keeps no network alive.
    [TestMethod]
    public async Task A_stream_is_refused_its_next_piece()
    {
        var mlContext = new MLContext(seed: 1);
        using HookedModel between = new(mlContext), within = new(mlContext), pool = new(mlContext);
        using IEnumerator<string> left = between.Generator.Stream("the", Greedy).GetEnumerator(), pieces = within.Generator.Stream("the", Greedy).GetEnumerator();

        Assert.IsTrue(left.MoveNext());
        between.Model.Dispose();
        Assert.IsTrue(between.IsFreed);
        AssertDisposed(() => left.MoveNext());

        within.DisposeAtPass(1);
        Assert.IsTrue(pieces.MoveNext(), "the piece under way comes");
        Assert.IsTrue(within.IsFreed);
        AssertDisposed(() => pieces.MoveNext());

        int seen = 0;
        await Assert.ThrowsExactlyAsync<ObjectDisposedException>(async () =>
        {
            await foreach (string _ in pool.Generator.StreamAsync("the", Greedy))
            {
                if (++seen == 2)
                    pool.Model.Dispose();
            }
        });
        Assert.AreEqual(2, seen);
        Assert.IsTrue(pool.IsFreed);
    }

    [TestMethod]
    public void A_cache_of_keys_and_values_is_freed_by_the_stream_that_made_it()
    {
        var mlContext = new MLContext(seed: 1);
        var model = Train(mlContext);
        var generator = mlContext.CausalLanguageModeling.CreateTextGenerator(model);
        IEnumerator<string> pieces = generator.Stream("the", new() { Seed = 1, MaximumNewTokens = 500 }).GetEnumerator();
        long live = LiveTensors;
        pieces.MoveNext();
        Assert.IsGreaterThan(live, LiveTensors, "the control: there is a cache");

        model.Dispose();
        AssertDisposed(() => pieces.MoveNext());
        pieces.Dispose();
        Assert.IsLessThan(live, LiveTensors);
    }

    // The weights are listed before they are written, and the list disposes of the model.
    [TestMethod]
    public void Saving_under_way_finishes_and_the_next_is_refused()
    {
        var mlContext = new MLContext(seed: 1);
        ListedNetwork? network = null;
        var options = Options(steps: 0);
        options.Model = LanguageModel.Custom("listed", () => network = new ListedNetwork(), contextLength: 64);
        var model = Train(mlContext, options);
        network!.Hook = model.Dispose;

        using MemoryStream stream = new();
        mlContext.Model.Save(model, null, stream);

        using ZipArchive archive = new(stream);
        Assert.IsGreaterThan(257 * 257 * sizeof(float), archive.Entries.Single(entry => entry.Name == "weights.safetensors").Length);
        AssertDisposed(() => mlContext.Model.Save(model, null, new MemoryStream()));
    }

    // The tokenizer is asked for its files before the weights are written, and disposes of the model.
    [TestMethod]
    public void Saving_for_other_tools_under_way_finishes_and_the_next_is_refused()
    {
        using TemporaryFolder folder = new();
        Action dispose = () => { };
        CausalLanguageModelTransformer model = new(new TrainedLanguageModel(TinyModels.Gpt2(ScalarType.Float32), new HookedTokenizer(() => dispose())), new CausalLanguageModelTrainer.Options(), training: null);
        dispose = model.Dispose;

        model.SaveAsHuggingFace(folder["model"]);

        Assert.IsGreaterThan(10_000, new FileInfo(Path.Combine(folder["model"], "model.safetensors")).Length);
        AssertDisposed(() => model.SaveAsHuggingFace(folder["again"]));
        AssertDisposed(() => model.SaveAsOnnx(folder["again"]));
        AssertDisposed(() => model.SaveAsGguf(folder["again"]));
        AssertDisposed(() => model.SaveAdapters(folder["adapters"]));
        AssertDisposed(model.MergeAdapters);
        Assert.IsEmpty(folder.Names.Except(["model"]));
    }

    // Eight threads begin, then the model goes: every call gives the right number or says that the model is gone.
    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public void Eight_threads_lose_their_model_in_order(bool generates)
    {
        const int Rounds = 20, Threads = 8;
        var mlContext = new MLContext(seed: 1);
        using var reference = Create(out _);
        string expected = Call(reference)();

        for (int round = 0; round < Rounds; round++)
        {
            var model = Create(out Parameter[] weights);
            using CountdownEvent begun = new(Threads);
            ConcurrentBag<string> faults = [];
            Thread[] threads = [.. Enumerable.Range(0, Threads).Select(_ => new Thread(() => UseUntilDisposed(Call(model), expected, begun, faults)))];
            Array.ForEach(threads, thread => thread.Start());
            begun.Wait();
            model.Dispose();
            Array.ForEach(threads, thread => thread.Join());

            Assert.IsEmpty(faults, string.Join("; ", faults));
            Assert.IsTrue(weights.All(weight => weight.IsInvalid), "the network is freed");
        }

        CausalLanguageModelTransformer Create(out Parameter[] weights)
        {
            Gpt2Model network = TinyModels.Gpt2(ScalarType.Float32);
            weights = [.. network.parameters()];
            return new CausalLanguageModelTransformer(new TrainedLanguageModel(network, new ByteLevelTokenizer()), new CausalLanguageModelTrainer.Options(), training: null);
        }

        Func<string> Call(CausalLanguageModelTransformer model)
        {
            if (generates)
            {
                var generator = mlContext.CausalLanguageModeling.CreateTextGenerator(model);
                return () => generator.Generate("the fox", Greedy with { MaximumNewTokens = 4 });
            }
            var engine = mlContext.Model.CreatePredictionEngine<Row, Prediction>(model, new PredictionEngineOptions { OwnsTransformer = false });
            return () => engine.Predict(new Row { Text = "the fox", Vector = [0, 0] }).LossSum.ToString("R");
        }
    }

    private static void UseUntilDisposed(Func<string> call, string expected, CountdownEvent begun, ConcurrentBag<string> faults)
    {
        bool first = true;
        try
        {
            while (true)
            {
                string result = call();
                if (first)
                    begun.Signal();
                first = false;
                if (result != expected)
                    faults.Add($"{result} instead of {expected}");
            }
        }
        catch (ObjectDisposedException error) when (IsOurs(error))
        {
        }
        catch (Exception error)
        {
            faults.Add(error.ToString());
        }
        if (first)
            begun.Signal();
    }

    private static void AssertDisposed(Action use)
    {
        ObjectDisposedException error = Assert.ThrowsExactly<ObjectDisposedException>(use);
        Assert.IsTrue(IsOurs(error), error.Message);
    }

    private static bool IsOurs(ObjectDisposedException error) =>
        error.ObjectName == "CausalLanguageModelTransformer" && error.Message.StartsWith("The causal language model has been disposed; a prediction engine disposes the model it was made with.", StringComparison.Ordinal);

    private static long LiveTensors => DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount;
}
