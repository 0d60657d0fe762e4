using System.Diagnostics;
using MLNetExtension.Data;

namespace MLNetExtension.Tests.Tokenization;

[TestClass]
[TestCategory("Alone")]
[DoNotParallelize] // the memory is the process's
public sealed class LongRowMemoryTests
{
    private const int Length = 50_000_000;

    public static IEnumerable<object[]> Names => ((string[])[.. TestTokenizers.Names, "llama2"]).Select(name => new object[] { name });

    // On the old code a sixth of these texts took up to 19 s. The time is that of the processor, since other processes run too.
    [TestMethod]
    [DynamicData(nameof(Names))]
    public void A_row_of_50_MB_takes_no_more_than_its_context_needs(string name)
    {
        if (!OperatingSystem.IsLinux())
            return;

        var encoder = new TokenExampleEncoder(TestTokenizers.Load(name), 64);
        foreach (string unit in (string[])["the quick brown fox, it's 12 years old. ", "a", "漢字"])
        {
            string text = string.Concat(Enumerable.Repeat(unit, Length / unit.Length));
            encoder.Encode(new TextRow("", "warm"), 0);
            TimeSpan before = ProcessorTime();
            long growth = PeakMemory.Growth(() => Assert.HasCount(64, encoder.Encode(new TextRow("", text), 0).Ids));

            Assert.IsLessThan(200L << 20, growth, $"{name}, {unit}");
            Assert.IsLessThan(TimeSpan.FromSeconds(2), ProcessorTime() - before, $"{name}, {unit}");
        }
    }

    // Seen to fail with: the ids of the whole text in one list, its symbols in one array (llama: 358 MiB for 10,000,000 chars in parts of 65,536).
    [TestMethod]
    [DataRow("bytes")]
    [DataRow("gpt2")]
    [DataRow("llama")]
    [DataRow("llama2")]
    public void A_long_row_that_is_split_is_never_in_memory_as_ids(string name)
    {
        if (!OperatingSystem.IsLinux())
            return;

        const int Chars = 4_000_000;
        var encoder = new TokenExampleEncoder(TestTokenizers.Load(name), 64, LongRows.Split);
        foreach (string unit in (string[])["the quick brown fox, it's 12 years old. ", "abcdefgh"])
        {
            var row = new RowContent.Text(string.Concat(Enumerable.Repeat(unit, Chars / unit.Length)), 1);
            long targets = 0, bytes = 0;
            long growth = PeakMemory.Growth(() => encoder.EncodeAll(row, 0, piece => (targets, bytes) = (targets + piece.TargetCount, bytes + piece.TargetBytes)));

            Assert.AreEqual(row.Value.Length, bytes, $"{name}, {unit}");
            Assert.IsGreaterThan(Chars / 10, targets, $"{name}, {unit}");
            Assert.IsLessThan(120L << 20, growth, $"{name}, {unit}");
        }
    }

    private static TimeSpan ProcessorTime()
    {
        using Process process = Process.GetCurrentProcess();
        return process.TotalProcessorTime;
    }
}
