using System.Diagnostics;

namespace MLNetExtension.Tests.Hostile;

/// <summary>How a load of a stranger's file may end.</summary>
internal static class HostileFile
{
    // A load takes milliseconds; on a busy machine, a second. A pattern's match may take five seconds until it is stopped.
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    /// <summary>Alters a file many times: each time it is used, or refused in one sentence that names a file, and either takes a moment.</summary>
    /// <param name="original">The file.</param>
    /// <param name="format">What it is.</param>
    /// <param name="count">How often, with the seeds 0, 1, 2, ...</param>
    /// <param name="names">Names of files or entries, of which the message of a refusal must have one.</param>
    /// <param name="use">Loads the altered file and uses what it gives.</param>
    /// <returns>The outcomes, for the test's output.</returns>
    public static string Strike(byte[] original, FileFormat format, int count, IReadOnlyList<string> names, Action<byte[]> use)
    {
        use(original);
        int refused = 0;
        for (int seed = 0; seed < count; seed++)
        {
            Mutation mutation = Mutator.Mutate(original, seed, format);
            refused += IsRefused(mutation, seed, names, () => use(mutation.Bytes)) ? 1 : 0;
        }
        // Were all of them or none, the test would prove nothing.
        if (count >= 100)
            Assert.IsInRange(1, count - 1, refused);
        return $"{count} altered files: {refused} refused, {count - refused} used";
    }

    /// <summary>Whether an exception is one that a caller can act on: of a kind that is meant, with a message in words.</summary>
    public static bool IsClear(Exception exception) =>
        exception is InvalidDataException or NotSupportedException or ArgumentException or IOException or UnauthorizedAccessException or InvalidOperationException or FormatException
        && exception is not (ObjectDisposedException or ArgumentNullException)
        && exception.Message.Length is > 20 and < 2_000
        && !exception.Message.Contains('\0');

    /// <summary>Loads an altered file: it succeeds, or is refused in one sentence that names a file, and either takes less than a limit.</summary>
    /// <param name="mutation">What was altered, for the message.</param>
    /// <param name="seed">Its seed, for the message.</param>
    /// <param name="names">Names of files or entries, of which the message must have one.</param>
    /// <param name="load">Loads it.</param>
    /// <returns>Whether it was refused.</returns>
    public static bool IsRefused(Mutation mutation, int seed, IReadOnlyList<string> names, Action load)
    {
        long started = Stopwatch.GetTimestamp();
        Exception? refusal = null;
        try
        {
            load();
        }
        catch (Exception exception)
        {
            refusal = exception;
        }
        TimeSpan taken = Stopwatch.GetElapsedTime(started);
        string what = $"seed {seed}, {mutation.Description}";
        Assert.IsLessThan(Limit, taken, what);
        if (refusal is null)
            return false;
        Assert.IsTrue(IsClear(refusal), $"{what}: {refusal}");
        Assert.IsTrue(names.Any(name => refusal.Message.Contains(name, StringComparison.Ordinal)), $"{what}: names no file: {refusal}");
        return true;
    }
}
