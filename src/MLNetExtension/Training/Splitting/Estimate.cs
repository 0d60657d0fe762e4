namespace MLNetExtension.Training.Splitting;

/// <summary>Computes something from the times of plans: their medians, or what they took in one round.</summary>
/// <param name="time">The time of a plan, in seconds per position; NaN where it had no step.</param>
internal delegate double Estimate(Func<Candidate, double> time);
