using System.Security.Cryptography;
using System.Text;

namespace MLNetExtension.Training.Ranks.Mpi;

/// <summary>Divides the processors of a machine among its ranks. Open MPI's launcher binds each rank to processors of its own, MPICH's lets all run on all of them.</summary>
internal static class Processors
{
    /// <summary>A number for the set of processors that this process may run on: equal sets have equal numbers.</summary>
    public static long Mask { get; } = ReadMask();

    /// <summary>Finds how many threads this process should compute with.</summary>
    /// <param name="masks">The <see cref="Mask"/> of every rank on this machine.</param>
    /// <returns>Its share of its processors; what <c>OMP_NUM_THREADS</c> or <c>MKL_NUM_THREADS</c> says where one is set.</returns>
    public static int Threads(IReadOnlyList<long> masks)
    {
        bool isSet = Environment.GetEnvironmentVariable("OMP_NUM_THREADS") is not null || Environment.GetEnvironmentVariable("MKL_NUM_THREADS") is not null;
        return isSet ? KernelThreads.Available : Math.Max(1, Environment.ProcessorCount / masks.Count(mask => mask == Mask));
    }

    private static long ReadMask()
    {
        const string Status = "/proc/self/status";
        string? mask = File.Exists(Status) ? File.ReadLines(Status).FirstOrDefault(line => line.StartsWith("Cpus_allowed:", StringComparison.Ordinal)) : null;
        return mask is null ? 0 : BitConverter.ToInt64(SHA256.HashData(Encoding.ASCII.GetBytes(mask)));
    }
}
