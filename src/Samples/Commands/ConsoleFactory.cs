using System.CommandLine;
using Spectre.Console;

namespace Samples.Commands;

/// <summary>Creates the console that a command writes to.</summary>
internal static class ConsoleFactory
{
    /// <summary>A console on the invocation's output: live and coloured on a terminal, otherwise plain text without line wrapping.</summary>
    public static IAnsiConsole Create(ParseResult parsed)
    {
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(parsed.InvocationConfiguration.Output) });
        if (!console.Profile.Out.IsTerminal)
        {
            console.Profile.Width = 10_000;  // a program may read the lines
            console.Profile.Capabilities.Ansi = false;
            console.Profile.Capabilities.Interactive = false;
        }
        return console;
    }
}
