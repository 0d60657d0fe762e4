using System.Diagnostics;

namespace MLNetExtension.Tests.Hostile;

/// <summary>How a load of a stranger's file may end.</summary>
internal static class HostileFile
{
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
    /// <param name="limit">The most it may take.</param>
    /// <returns>Whether it was refused.</returns>
    public static bool IsRefused(Mutation mutation, int seed, IReadOnlyList<string> names, Action load, TimeSpan limit)
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
        Assert.IsLessThan(limit, taken, what);
        if (refusal is null)
            return false;
        Assert.IsTrue(IsClear(refusal), $"{what}: {refusal}");
        Assert.IsTrue(names.Any(name => refusal.Message.Contains(name, StringComparison.Ordinal)), $"{what}: names no file: {refusal}");
        return true;
    }
}
