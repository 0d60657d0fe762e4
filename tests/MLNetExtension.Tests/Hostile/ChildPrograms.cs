using Samples;
using Samples.Reporting;

namespace MLNetExtension.Tests.Hostile;

/// <summary>The programs that tests start as processes of their own.</summary>
internal static class ChildPrograms
{
    /// <summary>The samples' command line.</summary>
    public const string SamplesCommand = "samples";

    /// <summary>Runs a program.</summary>
    /// <returns>Its exit code.</returns>
    public static int Run(string program, string[] arguments) => program switch
    {
        SamplesCommand => RunSamples(arguments),
        _ => throw new ArgumentException($"There is no child program '{program}'.", nameof(program)),
    };

    // As Program.cs of the samples does.
    private static int RunSamples(string[] arguments)
    {
        ConsoleWriter.Install();
        return SamplesApp.Run(arguments, Console.Out, Console.Error);
    }
}
