using System.Diagnostics;
using MLNetExtension.Data;

namespace MLNetExtension.Tests.Tokenization;

[TestClass]
[TestCategory("Alone")]
[DoNotParallelize] // the memory is the process's
public sealed class LongRowMemoryTests
{
    private const int Length = 50_000_000;

    public static IEnumerable<object[]> Names => TestTokenizers.Names.Select(name => new object[] { name });

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

    private static TimeSpan ProcessorTime()
    {
        using Process process = Process.GetCurrentProcess();
        return process.TotalProcessorTime;
    }
}
