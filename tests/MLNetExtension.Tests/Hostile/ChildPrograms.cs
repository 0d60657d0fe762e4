using System.Globalization;
using System.Runtime.InteropServices;
using MLNetExtension.Tests.Training.Ranks;
using Samples;
using Samples.Reporting;

namespace MLNetExtension.Tests.Hostile;

/// <summary>The programs that tests start as processes of their own.</summary>
internal static partial class ChildPrograms
{
    /// <summary>The samples' command line.</summary>
    public const string SamplesCommand = "samples";

    /// <summary>The same, where no file can grow beyond a number of bytes, the first argument.</summary>
    public const string SamplesOnFullDisk = "samples-on-full-disk";

    /// <summary><see cref="ModelUsers.DisposeInFlight"/>.</summary>
    public const string Disposals = "disposals";

    /// <summary><see cref="ModelUsers.PredictTogether"/>.</summary>
    public const string Predictions = "predictions";

    /// <summary><see cref="RankPrograms"/>.</summary>
    public const string Ranks = "ranks";

    /// <summary>Runs a program.</summary>
    /// <returns>Its exit code.</returns>
    public static int Run(string program, string[] arguments) => program switch
    {
        SamplesCommand => RunSamples(arguments),
        SamplesOnFullDisk => RunSamplesOnFullDisk(long.Parse(arguments[0], CultureInfo.InvariantCulture), arguments[1..]),
        Disposals => new ModelUsers().DisposeInFlight(int.Parse(arguments[0], CultureInfo.InvariantCulture)),
        Predictions => new ModelUsers().PredictTogether(int.Parse(arguments[0], CultureInfo.InvariantCulture)),
        Ranks => RankPrograms.Run(arguments[0], arguments[1..]),
        _ => throw new ArgumentException($"There is no child program '{program}'.", nameof(program)),
    };

    // As Program.cs of the samples does.
    private static int RunSamples(string[] arguments)
    {
        ConsoleWriter.Install();
        return SamplesApp.Run(arguments, Console.Out, Console.Error);
    }

    // Only now, because the runtime makes large files of its own when it starts.
    private static int RunSamplesOnFullDisk(long bytes, string[] arguments)
    {
        const int FileSizeSignal = 25, Ignore = 1, FileSize = 1;    // SIGXFSZ, SIG_IGN, RLIMIT_FSIZE of Linux
        SetHandler(FileSizeSignal, Ignore);
        Limit limit = new(bytes, bytes);
        return SetLimit(FileSize, limit) == 0 ? RunSamples(arguments) : throw new InvalidOperationException("The limit cannot be set.");
    }

    [LibraryImport("libc", EntryPoint = "signal")]
    private static partial nint SetHandler(int signal, nint handler);

    [LibraryImport("libc", EntryPoint = "setrlimit")]
    private static partial int SetLimit(int resource, in Limit limit);

    private readonly record struct Limit(long Current, long Maximum);
}
