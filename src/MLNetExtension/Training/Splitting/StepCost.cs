namespace MLNetExtension.Training.Splitting;

/// <summary>What a step cost.</summary>
/// <param name="Positions">Positions of its rows, padding left out.</param>
/// <param name="Seconds">How long it took.</param>
/// <param name="FootprintMiB">Most memory in use while it ran, beyond what was in use before the training; NaN where that cannot be known.</param>
/// <param name="LimitMiB">The most there may be, counted likewise; infinite for no limit.</param>
internal readonly record struct StepCost(long Positions, double Seconds, double FootprintMiB, double LimitMiB);
