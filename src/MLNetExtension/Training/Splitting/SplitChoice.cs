namespace MLNetExtension.Training.Splitting;

/// <summary>A plan and what it was measured to cost.</summary>
/// <param name="Plan">The plan.</param>
/// <param name="SecondsPerPosition">Median of the time of a step by the positions of its rows.</param>
/// <param name="FootprintMiB">Memory that the training takes with it, as predicted from measurements.</param>
internal sealed record MeasuredPlan(SplitPlan Plan, double SecondsPerPosition, double FootprintMiB);

/// <summary>What a search for the best plan found.</summary>
/// <param name="Chosen">The plan that is worth its memory.</param>
/// <param name="Fastest">The fastest plan that was tried; often the same.</param>
/// <param name="Tried">How many plans were tried.</param>
/// <param name="Steps">The steps that it took.</param>
internal sealed record SplitChoice(MeasuredPlan Chosen, MeasuredPlan Fastest, int Tried, int Steps);
