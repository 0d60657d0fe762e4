using MLNetExtension.Training.Reports;
using Spectre.Console;

namespace Samples.Reporting;

/// <summary>Shows the progress of a training: a live bar on a terminal, otherwise a line every ten seconds.</summary>
internal sealed class TrainingDisplay(IAnsiConsole console, TrainingCurve curve)
{
    private static readonly TimeSpan _betweenLines = TimeSpan.FromSeconds(10);

    /// <summary>Runs a training that reports its steps to this display and to the curve.</summary>
    public T Run<T>(Func<IProgress<StepReport>, T> train)
    {
        if (!console.Profile.Capabilities.Interactive || !console.Profile.Out.IsTerminal)
            return train(new Observer(Lines()));
        return console.Progress()
            .Columns(new SpinnerColumn(), new ProgressBarColumn { Width = console.Profile.Width < 110 ? 8 : 24 }, new PercentageColumn(), new TaskDescriptionColumn { Alignment = Justify.Left })
            .Start(context =>
            {
                ProgressTask bar = context.AddTask("training", maxValue: 1);
                T result = train(new Observer(step =>
                {
                    curve.Add(step);
                    bar.Value = step.Progress;
                    bar.Description = Markup.Escape(Figures(step));
                }));
                bar.Value = 1;
                return result;
            });
    }

    private Action<StepReport> Lines()
    {
        TimeSpan next = TimeSpan.Zero;
        return step =>
        {
            curve.Add(step);
            if (step.Elapsed < next && step.Progress < 1)
                return;
            next = step.Elapsed + _betweenLines;
            console.WriteLine(FormattableString.Invariant($"{100 * step.Progress,5:0}%  {Figures(step)}"));
        };
    }

    private string Figures(StepReport step) => FormattableString.Invariant(
        $"step {step.Step}  loss {(curve.Points.Count > 0 ? curve.Points[^1].Smoothed : double.NaN):0.000}  lr {step.LearningRate:0.00000}  |g| {step.GradientNorm:0.00}  {step.TokensPerSecond:N0} tokens/s  {Clock(step.Remaining)} left")
        + (step.Outcome == StepOutcome.NonFinite ? "  (not finite: skipped)" : "");

    private static string Clock(TimeSpan? time) => time is { } t ? $"{(int)t.TotalMinutes}:{t.Seconds:00}" : "?";

    // Not Progress<T>, which delivers reports later, on another thread.
    private sealed class Observer(Action<StepReport> onStep) : IProgress<StepReport>
    {
        public void Report(StepReport value) => onStep(value);
    }
}
