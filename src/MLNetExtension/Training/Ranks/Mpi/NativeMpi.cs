using System.Runtime.InteropServices;

namespace MLNetExtension.Training.Ranks.Mpi;

/// <summary>The functions of MPI that ranks need, in whatever library <see cref="MpiLibrary"/> has loaded. A handle is a pointer in some of them and an int in others: an <c>nint</c> holds both.</summary>
/// <remarks>Source: "MPI: A Message-Passing Interface Standard", version 3.1; every later version has them too.</remarks>
internal static partial class NativeMpi
{
    /// <summary>The name that <see cref="MpiLibrary"/> finds the library by.</summary>
    public const string Name = "MLNetExtension.mpi";

    [LibraryImport(Name, EntryPoint = "MPI_Init_thread")]
    public static partial int InitThread(nint argumentCount, nint arguments, int required, out int provided);

    [LibraryImport(Name, EntryPoint = "MPI_Finalize")]
    public static partial int Finish();

    [LibraryImport(Name, EntryPoint = "MPI_Abort")]
    public static partial int Abort(nint communicator, int exitCode);

    [LibraryImport(Name, EntryPoint = "MPI_Comm_rank")]
    public static partial int CommRank(nint communicator, out int rank);

    [LibraryImport(Name, EntryPoint = "MPI_Comm_size")]
    public static partial int CommSize(nint communicator, out int size);

    [LibraryImport(Name, EntryPoint = "MPI_Comm_split_type")]
    public static partial int CommSplitType(nint communicator, int splitType, int key, nint info, ref nint result);

    [LibraryImport(Name, EntryPoint = "MPI_Reduce")]
    public static partial int Reduce(nint send, nint receive, int count, nint type, nint operation, int root, nint communicator);

    [LibraryImport(Name, EntryPoint = "MPI_Bcast")]
    public static partial int Broadcast(nint buffer, int count, nint type, int root, nint communicator);

    [LibraryImport(Name, EntryPoint = "MPI_Iallgather")]
    public static partial int StartAllGather(
        nint send, int sendCount, nint sendType, nint receive, int receiveCount, nint receiveType, nint communicator, ref nint request);

    [LibraryImport(Name, EntryPoint = "MPI_Test")]
    public static partial int Test(ref nint request, out int isDone, ref MpiStatus status);

    /// <summary>Sets a variable for native code: <see cref="Environment.SetEnvironmentVariable(string, string?)"/> sets it for .NET alone.</summary>
    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int SetEnvironment(string name, string value, int overwrite);
}

/// <summary>Room for any MPI's status, which nobody reads: Open MPI's has 24 bytes, MPICH's 20, the MPI-5 ABI's 32.</summary>
[StructLayout(LayoutKind.Sequential, Size = 64)]
internal struct MpiStatus;
