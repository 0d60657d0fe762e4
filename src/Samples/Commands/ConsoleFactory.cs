using System.CommandLine;
using Spectre.Console;

namespace Samples.Commands;

/// <summary>Makes the console that a command writes to.</summary>
internal static class ConsoleFactory
{
    /// <summary>A console on the invocation's output: live and coloured on a terminal, plain text in unbroken lines elsewhere.</summary>
    public static IAnsiConsole Create(ParseResult parsed)
    {
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(parsed.InvocationConfiguration.Output) });
        if (!console.Profile.Out.IsTerminal)
        {
            console.Profile.Width = 10_000;  // no line is broken that a program may read
            console.Profile.Capabilities.Ansi = false;
            console.Profile.Capabilities.Interactive = false;
        }
        return console;
    }
}
