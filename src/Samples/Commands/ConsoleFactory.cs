using System.CommandLine;
using MLNetExtension.Training;
using Spectre.Console;

namespace Samples.Commands;

/// <summary>Creates the console that a command writes to.</summary>
internal static class ConsoleFactory
{
    /// <summary>A console on the invocation's output: live and coloured on a terminal, otherwise plain text without line wrapping.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="ranks">The processes that do this together, of which the first alone writes. Default: null, this one alone.</param>
    public static IAnsiConsole Create(ParseResult parsed, RankOptions? ranks = null)
    {
        TextWriter output = ranks is null or { Rank: 0 } ? parsed.InvocationConfiguration.Output : TextWriter.Null;
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(output) });
        if (!console.Profile.Out.IsTerminal)
        {
            console.Profile.Width = 10_000;  // a program may read the lines
            console.Profile.Capabilities.Ansi = false;
            console.Profile.Capabilities.Interactive = false;
        }
        return console;
    }
}
