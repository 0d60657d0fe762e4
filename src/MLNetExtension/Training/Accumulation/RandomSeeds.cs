namespace MLNetExtension.Training.Accumulation;

/// <summary>The seeds of what is random in a micro-batch of training.</summary>
/// <param name="Step">The step's, the same on every worker and rank: what is drawn from it and from a row alone does not depend on the split.</param>
/// <param name="MicroBatch">The micro-batch's own, of dropout.</param>
internal readonly record struct RandomSeeds(long Step, long MicroBatch);
