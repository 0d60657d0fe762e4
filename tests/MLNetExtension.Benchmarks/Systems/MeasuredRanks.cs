using System.Diagnostics;
using MLNetExtension.Training.Ranks;
using static TorchSharp.torch;

namespace MLNetExtension.Benchmarks.Systems;

/// <summary>Takes the time of what ranks exchange: first that of the slower ones' arrival, then that of the exchange itself.</summary>
internal sealed class MeasuredRanks(IRankGroup ranks) : IRankGroup
{
    public int Rank => ranks.Rank;

    public int Size => ranks.Size;

    public int LocalRank => ranks.LocalRank;

    public int LocalSize => ranks.LocalSize;

    public int Threads => ranks.Threads;

    public bool CopiesThroughHost => ranks.CopiesThroughHost;

    /// <summary>Seconds spent waiting for the other ranks.</summary>
    public double Waiting { get; private set; }

    /// <summary>Seconds in which values travelled.</summary>
    public double Exchanging { get; private set; }

    /// <summary>Begins anew.</summary>
    public void Restart() => (Waiting, Exchanging) = (0, 0);

    public void Sum(Tensor tensor) => Measure(() => ranks.Sum(tensor));

    public void SumShards(Tensor vector) => Measure(() => ranks.SumShards(vector));

    public void GatherShards(Tensor vector) => Measure(() => ranks.GatherShards(vector));

    public void Broadcast(Tensor tensor, int root = 0) => Measure(() => ranks.Broadcast(tensor, root));

    public void Barrier() => Measure(() => { });

    public void Abort(string message) => ranks.Abort(message);

    private void Measure(Action exchange)
    {
        long start = Stopwatch.GetTimestamp();
        ranks.Barrier();
        Waiting += Stopwatch.GetElapsedTime(start).TotalSeconds;
        start = Stopwatch.GetTimestamp();
        exchange();
        Exchanging += Stopwatch.GetElapsedTime(start).TotalSeconds;
    }
}
