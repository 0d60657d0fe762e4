using Microsoft.ML;
using Microsoft.ML.Runtime;
using Spectre.Console;

namespace Samples.Jobs;

/// <summary>Prints the warnings of ML.NET contexts, each once.</summary>
internal sealed class WarningPrinter(IAnsiConsole console)
{
    private readonly HashSet<string> _shown = [];

    /// <summary>Prints the warnings of a context from now on.</summary>
    public void Attach(MLContext mlContext)
    {
        mlContext.Log += (_, message) =>
        {
            if (message.Kind == ChannelMessageKind.Warning && _shown.Add(message.RawMessage))
                console.MarkupLineInterpolated($"[yellow]Warning:[/] {message.RawMessage}");
        };
    }
}
