using System.Globalization;

namespace MLNetExtension.Tests.Hostile;

/// <summary>Models that many threads use, also while they are disposed of. In a process of their own: a mistake ends the process.</summary>
[TestClass]
[TestCategory("Hostile")]
public sealed class ManyThreadsTests
{
    private const int Disposals = 1_000, Predictions = 2_000;

    public TestContext TestContext { get; set; } = null!;

    [TestMethod]
    public void Models_disposed_of_while_eight_threads_use_them_finish_the_calls_in_flight_and_refuse_later_ones() => Run(ChildPrograms.Disposals, Attack.Scale(Disposals));

    [TestMethod]
    public void Eight_threads_predict_what_one_does_bit_for_bit() => Run(ChildPrograms.Predictions, Attack.Scale(Predictions));

    private void Run(string program, int count)
    {
        (int exitCode, string output) = ChildProcess.Run(program, count.ToString(CultureInfo.InvariantCulture));
        Assert.AreEqual(0, exitCode, output);
        TestContext.WriteLine(output);
    }
}
