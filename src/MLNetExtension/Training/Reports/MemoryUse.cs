namespace MLNetExtension.Training.Reports;

/// <summary>The memory in use. It is read a few times a second at most: steps that are shorter share a reading.</summary>
/// <param name="ResidentMiB">Physical memory of the process, in MiB.</param>
/// <param name="PeakResidentMiB">The most that it had since it began, before the training too, in MiB.</param>
/// <param name="DeviceMiB">Memory in use on the GPU, of all programs together, in MiB; null where the CPU computes, or the driver does not tell.</param>
public readonly record struct MemoryUse(double ResidentMiB, double PeakResidentMiB, double? DeviceMiB);
