using Samples;

namespace MLNetExtension.Tests.Samples;

/// <summary>Runs the samples' command line in this process.</summary>
internal static class CommandLine
{
    public static (int ExitCode, string Output, string Error) Run(params string[] args)
    {
        using StringWriter output = new(), error = new();
        int exitCode = SamplesApp.Run(args, output, error);
        return (exitCode, output.ToString(), error.ToString());
    }

    /// <summary>A training of a second or less: a tiny model, a few steps.</summary>
    public static (int ExitCode, string Output, string Error) TrainTiny(string data, string output, params string[] more) => Run(
        ["train", "--data", data, "--output", output, .. more.Contains("--steps") || more.Contains("--epochs") ? (string[])[] : ["--steps", "6"], "--layers", "1", "--heads", "2", .. more.Contains("--width") ? (string[])[] : ["--width", "16"], "--context", "48", .. more]);
}
