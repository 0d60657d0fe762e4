using Spectre.Console;

namespace Samples.Comparison;

/// <summary>Shows the progress of a comparison: a live bar on a terminal, otherwise a line every ten seconds.</summary>
internal sealed class AccumulationDisplay(IAnsiConsole console)
{
    private static readonly TimeSpan _betweenLines = TimeSpan.FromSeconds(10);

    /// <summary>Runs a comparison that reports its progress to this display.</summary>
    public T Run<T>(Func<Action<AccumulationProgress>, T> compare)
    {
        if (!console.Profile.Capabilities.Interactive || !console.Profile.Out.IsTerminal)
            return compare(Lines());
        return console.Progress()
            .Columns(new SpinnerColumn(), new ProgressBarColumn { Width = 24 }, new PercentageColumn(), new TaskDescriptionColumn { Alignment = Justify.Left })
            .Start(context =>
            {
                ProgressTask bar = context.AddTask("comparing", maxValue: 1);
                return compare(progress =>
                {
                    bar.Value = (double)progress.Step / progress.Steps;
                    bar.Description = Markup.Escape(Figures(progress));
                });
            });
    }

    private Action<AccumulationProgress> Lines()
    {
        TimeSpan next = TimeSpan.Zero;
        return progress =>
        {
            if (progress.Elapsed < next && progress.Step < progress.Steps)
                return;
            next = progress.Elapsed + _betweenLines;
            console.WriteLine(FormattableString.Invariant($"{100.0 * progress.Step / progress.Steps,5:0}%  {Figures(progress)}"));
        };
    }

    private static string Figures(AccumulationProgress progress) =>
        FormattableString.Invariant($"step {progress.Step} of {progress.Steps}  full batch loss {progress.Loss:0.000}  {progress.Elapsed.TotalSeconds:0} s");
}
