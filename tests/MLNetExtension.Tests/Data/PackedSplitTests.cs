using System.Diagnostics;
using MLNetExtension.Data;

namespace MLNetExtension.Tests.Data;

[TestClass]
public sealed class PackedSplitTests
{
    // Numbers of groups that are too few for any grouping are not tried; the one that is found is the one that trying them all finds.
    [TestMethod]
    public void The_number_of_groups_is_the_first_that_fits()
    {
        Random random = new(5);
        for (int draw = 0; draw < 2000; draw++)
        {
            int longest = random.Next(1, 40), budget = random.Next(1, 120), workers = random.Next(1, 5);
            TokenExample[] rows = [.. Enumerable.Range(0, random.Next(0, 60)).Select(row => Row(random.Next(1, longest + 1), row))];
            string expected = Describe(TryAll(rows, budget, workers)), actual = Describe(MicroBatchPlanner.SplitPacked(rows, budget, workers));
            Assert.AreEqual(expected, actual, $"draw {draw}");
        }
    }

    // Two rows fit into a group, so half as many groups as rows are needed, and a third of them would hold as many tokens. Said before: nothing, for hours.
    [TestMethod]
    public void A_batch_of_very_many_rows_is_split_in_a_moment()
    {
        const int Rows = 200_000;
        TokenExample[] rows = [.. Enumerable.Repeat(Row(700, 0), Rows)];
        long start = Stopwatch.GetTimestamp();
        IReadOnlyList<IReadOnlyList<TokenExample>> groups = MicroBatchPlanner.SplitPacked(rows, 2048);
        Assert.HasCount(Rows / 2, groups);
        Assert.IsLessThan(TimeSpan.FromSeconds(30), Stopwatch.GetElapsedTime(start));
    }

    private static IReadOnlyList<IReadOnlyList<TokenExample>> TryAll(TokenExample[] batch, int budget, int workers)
    {
        TokenExample[] rows = [.. batch.OrderByDescending(row => row.Length)];
        int least = (rows.Sum(row => row.Length) + budget - 1) / budget;
        for (int count = (least + workers - 1) / workers * workers; count < rows.Length; count += workers)
        {
            IReadOnlyList<TokenExample>[] groups = MicroBatchPlanner.Level(rows, count, row => row.Length);
            if (groups.All(group => group.Count == 1 || group.Sum(row => row.Length) <= budget))
                return groups;
        }
        return [.. rows.Select(row => (IReadOnlyList<TokenExample>)[row])];
    }

    private static string Describe(IReadOnlyList<IReadOnlyList<TokenExample>> groups) => string.Join(" | ", groups.Select(group => string.Join(' ', group.Select(row => row.Position))));

    private static TokenExample Row(int length, long position) => new(new int[length], new int[length], 0, position);
}
