using System.Diagnostics;
using System.Globalization;
using MLNetExtension.Benchmarks.Measuring;
using MLNetExtension.Benchmarks.Workloads;
using MLNetExtension.Training.Ranks.Mpi;
using static TorchSharp.torch;

namespace MLNetExtension.Benchmarks.Systems;

/// <summary>Ours in the processes that an MPI's launcher has started, and what their exchanges take.</summary>
internal sealed class RankTraining : IMeasuredSystem
{
    private readonly MeasuredRanks _ranks = new(MpiRankGroup.Open());
    private readonly OurTraining _training;
    private readonly Stopwatch _steps = new();

    public RankTraining(WorkloadFolder folder, bool tune) => _training = new OurTraining(folder, tune, workers: 1, _ranks);

    /// <summary>Whether this process reports what all have found.</summary>
    public static bool IsReporting => MpiRankGroup.Open().Rank == 0;

    /// <summary>What the exchanges took of all steps but the first, in which the size of a micro-batch is searched for, and the memory of all processes.</summary>
    public string? Remark
    {
        get
        {
            using Tensor memory = tensor(ProcessMemory.PeakMiB(), dtype: ScalarType.Float64);
            double seconds = _steps.Elapsed.TotalSeconds, exchanging = _ranks.Exchanging / seconds, waiting = _ranks.Waiting / seconds;
            MpiRankGroup.Open().Sum(memory);
            return string.Create(
                CultureInfo.InvariantCulture,
                $"{exchanging:P1} of a step exchanging and {waiting:P1} waiting for the other rank, {memory.item<double>():N0} MiB in both, {_training.Remark}");
        }
    }

    public double Step(int batch)
    {
        if (batch == 1)
        {
            _ranks.Restart();
            _steps.Restart();
        }
        return _training.Step(batch);
    }

    public void Dispose() => _training.Dispose();
}
