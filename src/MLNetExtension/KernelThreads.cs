using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension;

/// <summary>Sets how many threads libtorch computes with where the calling thread calls it, and puts the number back when disposed of.</summary>
/// <remarks>
/// <c>set_num_threads</c> also changes the number that threads begin with which call libtorch for the first time meanwhile, and which they keep. So OpenMP and MKL, where libtorch takes the number
/// from, are told of this thread alone. Where OpenMP cannot be found through TorchSharp's library (on Windows), <c>set_num_threads</c> has to do.
/// </remarks>
internal sealed class KernelThreads : IDisposable
{
    private static readonly Action<int> SetOpenMP = Find<OpenMP>("omp_set_num_threads") is { } set ? new Action<int>(set) : set_num_threads;
    private static readonly Mkl? SetMkl = Find<Mkl>("MKL_Set_Num_Threads_Local");

    // Asked for first: a thread takes over the process's number when libtorch first needs one on it, and would take it over what is set before.
    private readonly int _before = get_num_threads();
    private readonly int _mklBefore;

    /// <summary>Sets the number.</summary>
    /// <param name="count">At least 1.</param>
    public KernelThreads(int count) => _mklBefore = Set(count, count);

    /// <summary>
    /// How many threads there are cores for: those that <c>OMP_NUM_THREADS</c> or <c>MKL_NUM_THREADS</c> allows, else one for each processor. libtorch by itself may use only half of the
    /// processors, because it takes every other one for a hyper-thread.
    /// </summary>
    public static int Available { get; } =
        Environment.GetEnvironmentVariable("OMP_NUM_THREADS") is null && Environment.GetEnvironmentVariable("MKL_NUM_THREADS") is null ? Environment.ProcessorCount : get_num_threads();

    /// <summary>Limits kernels to a worker's share of some threads.</summary>
    /// <param name="threads">What the workers share; null where they do not compute on the CPU.</param>
    /// <param name="workers">How many there are.</param>
    /// <returns>Null where they do not compute on the CPU.</returns>
    public static KernelThreads? Limit(int? threads, int workers) => threads is { } shared ? new KernelThreads(Math.Max(1, shared / workers)) : null;

    /// <summary>Puts the number back.</summary>
    public void Dispose() => Set(_before, _mklBefore);

    // Returns the number that MKL had for this thread, 0 where it had none of its own.
    private static int Set(int count, int mklCount)
    {
        SetOpenMP(count);
        return SetMkl?.Invoke(mklCount) ?? 0;
    }

    private static T? Find<T>(string function)
        where T : Delegate =>
        NativeLibrary.TryLoad("LibTorchSharp", typeof(torch).Assembly, null, out nint library) && NativeLibrary.TryGetExport(library, function, out nint address)
            ? Marshal.GetDelegateForFunctionPointer<T>(address)
            : null;

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    private delegate void OpenMP(int count);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    private delegate int Mkl(int count);
}
