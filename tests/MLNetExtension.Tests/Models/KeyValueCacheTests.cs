using MLNetExtension.Models;
using MLNetExtension.Models.Layers;
using MLNetExtension.Tests.Models.Llama;
using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Models;

[TestClass]
internal sealed class KeyValueCacheTests
{
    private static readonly Random Ids = new(11);

    public static IEnumerable<object[]> Models =>
    [
        ["GPT-2", (Func<CausalLanguageModel>)(() => Ragged.Model())],
        ["GPT-2 with experts", (Func<CausalLanguageModel>)(() => Ragged.Model(experts: 3, expertsPerToken: 2))],
        ["Llama", (Func<CausalLanguageModel>)(() => TinyLlama.Make())],
        ["Llama without a window", (Func<CausalLanguageModel>)(() => TinyLlama.Make(TinyLlama.Configuration with { SlidingWindow = null }))],
        ["Llama with experts", (Func<CausalLanguageModel>)(() => TinyLlama.Make(TinyLlama.Configuration with { Experts = 3 }))],
        .. TinyLlama.Types.Where(type => type != "phi3").Select(type => new object[] { type, (Func<CausalLanguageModel>)(() => TinyLlama.Make(TinyLlama.OfType(type))) }),
        ["Phi 3", (Func<CausalLanguageModel>)(() => TinyLlama.Make(TinyLlama.OfType("phi3") with { RotaryScaling = new RotaryScaling.Linear(2) }))],
    ];

    // Seen to fail with positions counted from 0 in each piece, with a window one too wide, and with a mask that leaves the window out.
    [TestMethod]
    [DynamicData(nameof(Models))]
    public void Positions_given_in_pieces_give_what_the_whole_row_gives(string name, Func<CausalLanguageModel> make)
    {
        using var scope = NewDisposeScope();
        using CausalLanguageModel model = make();
        model.eval();
        Tensor ids = Row(20).unsqueeze(0);
        Tensor expected = model.ComputeHidden(ids).detach();

        foreach (int[] pieces in new int[][] { [20], [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1], [7, 1, 1, 4, 1, 6], [3, 9, 8] })
        {
            using KeyValueCache cache = new();
            List<Tensor> given = [];
            foreach (int piece in pieces)
                given.Add(model.ComputeHidden(ids.narrow(1, cache.Length, piece), cache));
            Assert.IsLessThan(1e-13, Ragged.RelativeError(cat(given, 1), expected), $"{name}: {string.Join(' ', pieces)}");
            Assert.AreEqual(20, cache.Length);
        }
    }

    // Seen to fail with positions that count the padding, and with a mask that does not hide it.
    [TestMethod]
    [DynamicData(nameof(Models))]
    public void A_row_filled_up_at_its_left_end_gives_what_it_gives_alone(string name, Func<CausalLanguageModel> make)
    {
        using var scope = NewDisposeScope();
        using CausalLanguageModel model = make();
        model.eval();
        int[] lengths = [4, 9, 1];
        const int more = 8;
        Tensor[] rows = [.. lengths.Select(length => Row(length + more))];
        int longest = lengths.Max();
        int[] padding = [.. lengths.Select(length => longest - length)];
        Tensor batch = stack([.. rows.Zip(padding, (row, count) => cat([full(count, 17, dtype: int64), row], 0))]);

        using KeyValueCache cache = new(padding);
        List<Tensor> given = [model.ComputeHidden(batch.narrow(1, 0, longest), cache)];
        foreach (int piece in new[] { 1, 1, 3, 1, 2 })
            given.Add(model.ComputeHidden(batch.narrow(1, cache.Length, piece), cache));
        Tensor hidden = cat(given, 1);                                                              // [B,longest + more,C]

        for (int b = 0; b < rows.Length; b++)
        {
            Tensor alone = model.ComputeHidden(rows[b].unsqueeze(0))[0].detach();
            Assert.IsLessThan(1e-13, Ragged.RelativeError(hidden[b].narrow(0, padding[b], rows[b].shape[0]), alone), $"{name}: row {b}");
        }
    }

    [TestMethod]
    public void Rows_may_be_dropped_and_repeated()
    {
        using var scope = NewDisposeScope();
        using CausalLanguageModel model = TinyLlama.Make();
        Tensor first = Row(6), second = cat([full(2, 0, dtype: int64), Row(4)], 0), next = Row(1);
        using KeyValueCache cache = new([0, 2]);
        model.ComputeHidden(stack([first, second]), cache);

        using KeyValueCache selected = cache.Select([1, 1, 0]);
        Tensor given = model.ComputeHidden(next.expand(3).unsqueeze(1), selected);

        Tensor expected = model.ComputeHidden(next.expand(2).unsqueeze(1), cache);
        Assert.AreEqual(7, cache.Length);
        Assert.IsLessThan(1e-14, Ragged.RelativeError(given, expected.index_select(0, tensor([1L, 1L, 0L]))));
    }

    // The one that joins may be shorter or longer; then rows leave, and padding that all others have with them.
    [TestMethod]
    [DynamicData(nameof(Models))]
    public void Rows_that_join_and_leave_give_what_they_give_alone(string name, Func<CausalLanguageModel> make)
    {
        using var scope = NewDisposeScope();
        using CausalLanguageModel model = make();
        model.eval();
        Tensor[] rows = [Row(20), Row(20), Row(20)];
        Tensor[] alone = [.. rows.Select(row => model.ComputeHidden(row.unsqueeze(0))[0].detach())];
        using KeyValueCache first = new([0]), second = new([0]), third = new([0]);
        int[] read = [5, 9, 2];
        foreach ((KeyValueCache cache, int i) in new[] { first, second, third }.Zip(Enumerable.Range(0, 3)))
            model.ComputeHidden(rows[i].narrow(0, 0, read[i]).unsqueeze(0), cache);

        using KeyValueCache two = first.Join(second);
        Compare(two, [0, 1]);
        using KeyValueCache three = two.Join(third);
        Compare(three, [0, 1, 2]);
        Compare(three, [0, 1, 2]);
        using KeyValueCache left = three.Select([2, 0]);
        Assert.AreEqual(read[0], left.Length);
        Compare(left, [2, 0]);

        void Compare(KeyValueCache cache, int[] kept)
        {
            Tensor next = stack([.. kept.Select(i => rows[i].narrow(0, read[i], 1))]);
            Tensor given = model.ComputeHidden(next, cache);
            for (int row = 0; row < kept.Length; row++)
            {
                int i = kept[row];
                Assert.IsLessThan(1e-13, Ragged.RelativeError(given[row], alone[i].narrow(0, read[i], 1)), $"{name}: row {i} at {read[i]}");
                read[i]++;
            }
        }
    }

    [TestMethod]
    public void A_cache_that_is_full_takes_no_more()
    {
        using var scope = NewDisposeScope();
        using CausalLanguageModel model = TinyLlama.Make();
        using KeyValueCache cache = new();
        model.ComputeHidden(Row(24).unsqueeze(0), cache);

        ArgumentException error = Assert.ThrowsExactly<ArgumentException>(() => model.ComputeHidden(Row(1).unsqueeze(0), cache));

        Assert.Contains("holds 24 positions and 1 more are given, but the model's context has 24", error.Message);
    }

    // Past 64 positions, so that its buffers have grown on the way.
    [TestMethod]
    public void A_cache_outlives_scopes_and_leaves_nothing_behind()
    {
        using var scope = NewDisposeScope();
        using CausalLanguageModel model = TinyLlama.Make(TinyLlama.Configuration with { ContextLength = 200 });
        Tensor ids = Row(150).unsqueeze(0);
        Tensor expected = model.ComputeHidden(ids).detach();
        long live = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        using (KeyValueCache cache = new([0]))
        {
            for (int t = 0; t < 150; t += 10)
            {
                using var inner = NewDisposeScope();
                Tensor given = model.ComputeHidden(ids.narrow(1, t, 10), cache);
                Assert.IsLessThan(1e-13, Ragged.RelativeError(given, expected.narrow(1, t, 10)));
            }
        }
        scope.DisposeEverythingBut(ids, expected);
        Assert.IsLessThanOrEqualTo(live, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }

    private static Tensor Row(int length)
    {
        lock (Ids)
            return tensor([.. Enumerable.Range(0, length).Select(_ => (long)Ids.Next(Ragged.Vocabulary))]);
    }
}
