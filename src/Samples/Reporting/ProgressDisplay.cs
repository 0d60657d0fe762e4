using Spectre.Console;

namespace Samples.Reporting;

/// <summary>The progress of a job: the share of the work that is done (0 to 1), the time since it started, and the latest figures in one line.</summary>
internal readonly record struct JobProgress(double Share, TimeSpan Elapsed, string Figures);

/// <summary>Shows the progress of a job: a live bar on a terminal, otherwise a line every ten seconds.</summary>
internal static class ProgressDisplay
{
    private static readonly TimeSpan _betweenLines = TimeSpan.FromSeconds(10);

    /// <summary>Runs a job that calls the given action with its progress.</summary>
    public static T Run<T>(IAnsiConsole console, string name, Func<Action<JobProgress>, T> job)
    {
        if (!console.Profile.Capabilities.Interactive || !console.Profile.Out.IsTerminal)
            return job(WriteLines(console));
        ProgressBarColumn barColumn = new() { Width = console.Profile.Width < 110 ? 8 : 24 };
        return console.Progress()
            .Columns(new SpinnerColumn(), barColumn, new PercentageColumn(), new TaskDescriptionColumn { Alignment = Justify.Left })
            .Start(context =>
            {
                ProgressTask bar = context.AddTask(name, maxValue: 1);
                T result = job(progress => (bar.Value, bar.Description) = (progress.Share, Markup.Escape(progress.Figures)));
                bar.Value = 1;
                return result;
            });
    }

    private static Action<JobProgress> WriteLines(IAnsiConsole console)
    {
        TimeSpan next = TimeSpan.Zero;
        return progress =>
        {
            if (progress.Elapsed < next && progress.Share < 1)
                return;
            next = progress.Elapsed + _betweenLines;
            console.WriteLine(FormattableString.Invariant($"{100 * progress.Share,5:0}%  {progress.Figures}"));
        };
    }
}
