using static TorchSharp.torch;

namespace MLNetExtension.Training.Ranks;

/// <summary>A process that trains alone: every sum is what it has already.</summary>
internal sealed class SingleRank : IRankGroup
{
    private SingleRank()
    {
    }

    /// <summary>The one instance; it has no state.</summary>
    public static SingleRank Instance { get; } = new();

    public int Rank => 0;

    public int Size => 1;

    public int LocalRank => 0;

    public int LocalSize => 1;

    public int Threads => KernelThreads.Available;

    public bool CopiesThroughHost => false;

    public void Sum(Tensor tensor)
    {
    }

    public void SumShards(Tensor vector)
    {
    }

    public void GatherShards(Tensor vector)
    {
    }

    public void Broadcast(Tensor tensor, int root = 0)
    {
    }

    public void Barrier()
    {
    }

    public void Abort(string message) => Environment.FailFast(message);
}
