using System.CommandLine;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using MLNetExtension;
using Samples.Commands;

namespace Samples;

/// <summary>The command line: parses, runs a command and turns every failure into an exit code.</summary>
public static class SamplesApp
{
    /// <summary>Everything went well.</summary>
    public const int Success = 0;

    /// <summary>The command ran and found something wrong.</summary>
    public const int Failure = 1;

    /// <summary>The command line or the data cannot be used; one line says why.</summary>
    public const int BadInput = 2;

    /// <summary>Ctrl+C.</summary>
    public const int Interrupted = 130;

    /// <summary>Runs a command.</summary>
    /// <param name="args">The command and its options.</param>
    /// <param name="output">Where results and progress go.</param>
    /// <param name="error">Where failures go.</param>
    public static int Run(string[] args, TextWriter output, TextWriter error)
    {
        ParseResult parsed = CreateRoot().Parse(args);
        if (parsed.Action is ParseErrorAction)
        {
            string problems = string.Join(' ', parsed.Errors.Select(each => each.Message));
            error.WriteLine($"{OneLine(problems)} (options: {CommandPath(parsed.CommandResult)} --help)");
            return BadInput;
        }
        try
        {
            return parsed.Invoke(new InvocationConfiguration
            {
                Output = output,
                Error = error,
                EnableDefaultExceptionHandler = false,
                ProcessTerminationTimeout = null,  // Ctrl+C is handled by the commands that have something to end in order
            });
        }
        catch (UserErrorException e)
        {
            error.WriteLine(OneLine(e.Message));
            return BadInput;
        }
        catch (JobFailedException e)
        {
            error.WriteLine(e.Message);
            return Failure;
        }
        catch (OperationCanceledException)
        {
            error.WriteLine("Stopped; nothing was written.");
            return Interrupted;
        }
        catch (Exception e)
        {
            error.WriteLine(TorchSetup.Explain(e) ?? e.ToString());
            return Failure;
        }
    }

    private static RootCommand CreateRoot() => new("Trains and uses causal language models in ML.NET pipelines, with exact gradient accumulation.")
    {
        TrainCommand.Create(),
        FinetuneCommand.Create(),
        EvaluateCommand.Create(),
        GenerateCommand.Create(),
        CompareAccumulationCommand.Create(),
    };

    private static string CommandPath(CommandResult command) =>
        command.Parent is CommandResult parent ? $"{CommandPath(parent)} {command.Command.Name}" : "dotnet run --project src/Samples --";

    private static string OneLine(string text) => string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
}
