using FsCheck;
using FsCheck.Fluent;
using MLNetExtension.Data;

namespace MLNetExtension.Tests.Data;

/// <summary>Batches by target tokens in place of rows.</summary>
[TestClass]
public sealed class EpochDivisionTests
{
    private static readonly Gen<(TokenExample[] Rows, int Tokens, int Seed)> Cases =
        from seed in Gen.Choose(0, 1_000_000)
        from rows in Gen.Choose(1, 60)
        from tokens in Gen.Choose(1, 120)
        select (Rows(new Random(seed), rows), tokens, seed);

    [TestMethod]
    public void Every_row_is_in_one_batch_in_the_epochs_order_and_every_epoch_has_as_many_batches() => Check(draw =>
    {
        EpochDivision division = EpochDivision.ByTargetTokens(draw.Rows, draw.Tokens);
        return Enumerable.Range(0, 3).All(epoch =>
        {
            int[] order = new EpochSampler(draw.Rows.Length, draw.Seed).Order(epoch);
            int[][] batches = [.. division.Divide(order)];
            return batches.SelectMany(rows => rows).SequenceEqual(order) && batches.All(rows => rows.Length > 0) && batches.Length == division.Count;
        });
    });

    // The mean is at most the number asked for, and with one batch fewer it would be more; a batch has at most one row's tokens more than that.
    [TestMethod]
    public void The_mean_is_at_most_the_number_and_a_batch_at_most_one_row_more() => Check(draw =>
    {
        EpochDivision division = EpochDivision.ByTargetTokens(draw.Rows, draw.Tokens);
        int[] tokens = [.. draw.Rows.Select(TokensOf)];
        long total = tokens.Sum();
        int fewest = Math.Max(1, (int)Math.Ceiling(total / (double)draw.Tokens));
        int[] batches = [.. division.Divide(new EpochSampler(draw.Rows.Length, draw.Seed).Order(0)).Select(rows => rows.Sum(row => tokens[row]))];
        return division.Count == Math.Min(fewest, draw.Rows.Length) && batches.Sum() == total && batches.Max() <= draw.Tokens + tokens.Max();
    });

    // What it is for: batches by rows of the same mean differ more.
    [TestMethod]
    public void Batches_are_more_even_than_batches_of_as_many_rows()
    {
        Random random = new(3);
        TokenExample[] rows = [.. Enumerable.Range(0, 400).Select(row => Ragged.Example(random, random.Next(1, 25), row, masked: 0))];
        int[] order = new EpochSampler(rows.Length, 1).Order(0);
        double byTokens = Spread(EpochDivision.ByTargetTokens(rows, 200)), byRows = Spread(EpochDivision.ByRows(rows.Length, 16));
        Assert.IsLessThan(byRows / 2, byTokens);

        double Spread(EpochDivision division)
        {
            double[] tokens = [.. division.Divide(order).Select(batch => (double)batch.Sum(row => rows[row].TargetCount))];
            return tokens.Max() - tokens.Min();
        }
    }

    [TestMethod]
    [DataRow(int.MaxValue, 1)]
    [DataRow(1, 10)]
    public void More_than_there_are_is_all_of_them_and_less_than_a_row_has_is_one_row(int tokens, int batches) =>
        Assert.AreEqual(batches, EpochDivision.ByTargetTokens(Ragged.Examples(10), tokens).Count);

    // One row is longer than all the others together: the shares of the first batches end inside it, and a row each is left for the later ones.
    [TestMethod]
    public void A_giant_row_leaves_no_batch_empty()
    {
        TokenExample[] rows = [.. new[] { 1, 1, 24, 1, 1 }.Select((length, i) => Ragged.Example(new Random(i), length, i, masked: 0))];
        int[][] batches = [.. EpochDivision.ByTargetTokens(rows, 7).Divide([0, 1, 2, 3, 4])];
        Assert.AreEqual("0 1 | 2 | 3 | 4", string.Join(" | ", batches.Select(batch => string.Join(' ', batch))));
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(5)]
    [DataRow(17)]
    public void Batches_by_tokens_are_a_function_of_seed_and_step(int firstStep)
    {
        TokenExample[] rows = Ragged.Examples(23);
        string[] all = [.. Sequence().StartAt(0).Take(20).Select(Text)], rest = [.. Sequence().StartAt(firstStep).Take(20 - firstStep).Select(Text)];
        CollectionAssert.AreEqual(all[firstStep..], rest);
        Assert.HasCount(20, all.Distinct());

        BatchSequence Sequence() => new(rows, EpochDivision.ByTargetTokens(rows, 40), new EpochSampler(rows.Length, seed: 3));

        static string Text(Batch batch) => $"{batch.Step} {batch.Epoch}: {string.Join(' ', batch.Examples.Select(row => row.Position))}";
    }

    private static int TokensOf(TokenExample row) => row.Weight > 0 ? row.Targets.Count(target => target >= 0) : 0;

    private static TokenExample[] Rows(Random random, int count) => [.. Enumerable.Range(0, count).Select(row => random.Next(6) == 0
        ? Ragged.WithoutTargets(random.Next(1, 25))
        : Ragged.Example(random, random.Next(1, 25), row, masked: random.NextDouble(), weight: random.Next(4) / 2.0))];

    private static void Check(Func<(TokenExample[] Rows, int Tokens, int Seed), bool> holds) =>
        Prop.ForAll(Cases.ToArbitrary(), holds).Check(Config.QuickThrowOnFailure.WithMaxTest(200).WithReplay(20261126, 1));
}
