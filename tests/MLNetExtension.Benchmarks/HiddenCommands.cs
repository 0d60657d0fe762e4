namespace MLNetExtension.Benchmarks;

/// <summary>The hidden commands with which the program starts itself, so that each measurement has a process of its own.</summary>
internal static class HiddenCommands
{
    public const string System = "measure-system";
    public const string MatrixPeak = "measure-matrix-peak";
    public const string StepParts = "measure-step-parts";
    public const string StepScale = "measure-step-scale";
    public const string TunerStart = "measure-tuner-start";
    public const string FixedPlan = "measure-fixed-plan";
    public const string Rows = "measure-rows";
}
