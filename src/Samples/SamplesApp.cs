using System.CommandLine;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using MLNetExtension;
using Samples.Commands;
using Samples.Errors;

namespace Samples;

/// <summary>The command line: parses it, runs a command and turns every failure into an exit code.</summary>
public static class SamplesApp
{
    /// <summary>Runs a command, which writes results and progress to the output and errors to the error writer, and returns its exit code.</summary>
    public static int Run(string[] args, TextWriter output, TextWriter error)
    {
        ParseResult parsed = CreateRoot().Parse(args);
        if (parsed.Action is ParseErrorAction)
        {
            string problems = string.Join(' ', parsed.Errors.Select(each => each.Message));
            error.WriteLine($"{OneLine(problems)} (options: {CommandPath(parsed.CommandResult)} --help)");
            return ExitCode.BadInput;
        }
        try
        {
            return parsed.Invoke(new InvocationConfiguration
            {
                Output = output,
                Error = error,
                EnableDefaultExceptionHandler = false,
                ProcessTerminationTimeout = null,  // the commands handle Ctrl+C themselves
            });
        }
        catch (UserErrorException e)
        {
            error.WriteLine(OneLine(e.Message));
            return ExitCode.BadInput;
        }
        catch (JobFailedException e)
        {
            error.WriteLine(e.Message);
            return ExitCode.Failure;
        }
        catch (OperationCanceledException e)
        {
            error.WriteLine(e is CancelledException ? e.Message : "Cancelled; nothing was written.");
            return ExitCode.Cancelled;
        }
        // A disk that is full, a file that may not be written: what the system says names the file.
        catch (Exception e) when (e is IOException or UnauthorizedAccessException && TorchSetup.Explain(e) is null)
        {
            error.WriteLine(OneLine(e.Message));
            return ExitCode.Failure;
        }
        catch (Exception e)
        {
            error.WriteLine(TorchSetup.Explain(e) ?? e.ToString());
            return ExitCode.Failure;
        }
    }

    private static RootCommand CreateRoot() => new("Trains and uses causal language models in ML.NET pipelines, with exact gradient accumulation.")
    {
        TrainCommand.Create(),
        FinetuneCommand.Create(),
        PreferCommand.Create(),
        EvaluateCommand.Create(),
        GenerateCommand.Create(),
        ExportCommand.Create(),
        ServeCommand.Create(),
        CompareAccumulationCommand.Create(),
    };

    private static string CommandPath(CommandResult command) =>
        command.Parent is CommandResult parent ? $"{CommandPath(parent)} {command.Command.Name}" : "dotnet run --project src/Samples --";

    private static string OneLine(string text) => string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
}
