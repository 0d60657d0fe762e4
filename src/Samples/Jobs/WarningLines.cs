using Microsoft.ML;
using Microsoft.ML.Runtime;
using Spectre.Console;

namespace Samples.Jobs;

/// <summary>Shows the warnings of a job's contexts, each once.</summary>
internal sealed class WarningLines(IAnsiConsole console)
{
    private readonly HashSet<string> _shown = [];

    /// <summary>Shows those of a context, too.</summary>
    public MLContext Show(MLContext mlContext)
    {
        mlContext.Log += (_, message) =>
        {
            if (message.Kind == ChannelMessageKind.Warning && _shown.Add(message.RawMessage))
                console.MarkupLineInterpolated($"[yellow]Warning:[/] {message.RawMessage}");
        };
        return mlContext;
    }
}
