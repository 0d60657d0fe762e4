namespace MLNetExtension.Benchmarks;

/// <summary>What this program calls itself with, to have a process of its own for whatever is measured.</summary>
internal static class HiddenCommands
{
    public const string System = "measure-system";
    public const string MatrixPeak = "measure-matrix-peak";
    public const string StepParts = "measure-step-parts";
    public const string StepScale = "measure-step-scale";
}
