using System.Diagnostics;
using System.Runtime.InteropServices;

namespace MLNetExtension.Training.Ranks.Mpi;

/// <summary>Tells every rank two numbers of each. Whoever comes early sleeps: MPI's own calls keep a processor busy while they wait.</summary>
internal sealed unsafe class MpiGather(MpiHandles mpi, nint communicator, int size, int rank)
{
    private static readonly TimeSpan BeforeSleep = TimeSpan.FromMilliseconds(5);

    // Never freed: a rank that ends in the middle leaves MPI with it.
    private readonly (long First, long Second)* _numbers = (((long, long)*)NativeMemory.AllocZeroed((nuint)size, (nuint)sizeof((long, long))));

    /// <summary>Gives two numbers and takes those of all.</summary>
    /// <returns>Those of each rank.</returns>
    public (long First, long Second)[] Run((long First, long Second) mine)
    {
        int bytes = sizeof((long, long));
        _numbers[rank] = mine;
        nint request = 0;
        NativeMpi.StartAllGather(mpi.InPlace, bytes, mpi.Byte, (nint)_numbers, bytes, mpi.Byte, communicator, ref request);
        Wait(ref request);
        return new Span<(long, long)>(_numbers, size).ToArray();
    }

    private static void Wait(ref nint request)
    {
        MpiStatus status = default;
        long start = Stopwatch.GetTimestamp();
        for (int tries = 0; ; tries++)
        {
            NativeMpi.Test(ref request, out int isDone, ref status);
            if (isDone != 0)
                return;
            if (tries > 100)
                Thread.Sleep(Stopwatch.GetElapsedTime(start) < BeforeSleep ? 0 : 1);
        }
    }
}
