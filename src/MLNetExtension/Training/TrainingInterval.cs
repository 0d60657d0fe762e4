using System.Globalization;

namespace MLNetExtension.Training;

/// <summary>How often something is done during training: every so many optimizer steps, or epochs. A whole number is one of steps.</summary>
public readonly record struct TrainingInterval
{
    private readonly double _count;
    private readonly bool _areEpochs;

    private TrainingInterval(double count, bool areEpochs) => (_count, _areEpochs) = (count, areEpochs);

    /// <summary>Every so many optimizer steps: after those steps that the number divides.</summary>
    /// <param name="count">At least 1.</param>
    public static TrainingInterval Steps(int count) => new(count, areEpochs: false);

    /// <summary>Every so many passes over the rows: after the first step with which each multiple of the number is reached, where a step is its share of an epoch's steps.</summary>
    /// <param name="count">Above 0; may be a part of an epoch, such as 0.5.</param>
    public static TrainingInterval Epochs(double count) => new(count, areEpochs: true);

    /// <summary>Every so many optimizer steps.</summary>
    /// <param name="steps">At least 1.</param>
    public static implicit operator TrainingInterval(int steps) => Steps(steps);

    /// <summary>Says the interval, as in "100 steps" or "0.5 epochs".</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{_count} {(_areEpochs ? "epoch" : "step")}{(_count == 1 ? "" : "s")}");

    /// <summary>What a checkpoint stores of it: the number of steps, as before there were others, or a text.</summary>
    internal object Setting => _areEpochs ? ToString() : (int)_count;

    /// <summary>Whether it is due after a number of steps: a pure function, so that resuming does not shift it.</summary>
    /// <param name="steps">Steps taken; nothing is due after 0.</param>
    /// <param name="stepsPerEpoch">Steps of an epoch.</param>
    internal bool IsDue(int steps, int stepsPerEpoch)
    {
        double interval = _areEpochs ? _count * stepsPerEpoch : _count;
        return steps > 0 && Reached(steps) > Reached(steps - 1);

        // A multiple that rounding puts behind a step is reached with it: 3 steps are 0.3 of 10, and 0.3 / 0.1 is below 3.
        double Reached(int after) => Math.Floor(after / interval + 1e-9);
    }

    internal void Validate(string group, string option) => Require.That(
        _areEpochs ? _count > 0 && double.IsFinite(_count) : _count >= 1, _count, _areEpochs ? "a number of epochs above 0" : "at least 1", group, option);
}
