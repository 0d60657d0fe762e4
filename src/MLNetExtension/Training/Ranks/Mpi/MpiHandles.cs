using System.Runtime.InteropServices;

namespace MLNetExtension.Training.Ranks.Mpi;

/// <summary>The values of an MPI's constants, which its header defines and which differ from one MPI to the next.</summary>
/// <param name="Mpi">The name of the MPI.</param>
/// <param name="World">MPI_COMM_WORLD.</param>
/// <param name="Byte">MPI_BYTE.</param>
/// <param name="Float">MPI_FLOAT.</param>
/// <param name="Double">MPI_DOUBLE.</param>
/// <param name="Sum">MPI_SUM.</param>
/// <param name="NoInfo">MPI_INFO_NULL.</param>
/// <param name="InPlace">MPI_IN_PLACE.</param>
/// <param name="Serialized">MPI_THREAD_SERIALIZED: any thread may call, one at a time.</param>
/// <param name="TypeShared">MPI_COMM_TYPE_SHARED: the ranks of one machine.</param>
internal sealed record MpiHandles(
    string Mpi, nint World, nint Byte, nint Float, nint Double, nint Sum, nint NoInfo, nint InPlace, int Serialized, int TypeShared)
{
    // Of mpi.h.in of MPICH; the same in all that keep its ABI (Intel MPI, MVAPICH, Cray MPICH).
    private static readonly MpiHandles Mpich = new("MPICH", 0x44000000, 0x4c00010d, 0x4c00040a, 0x4c00080b, 0x58000003, 0x1c000000, -1, 2, 1);

    // Of mpi.h of the MPI Forum's ABI stubs. Untested: no release of an MPI had it when this was written.
    private static readonly MpiHandles Standard = new("MPI-5 ABI", 0x101, 0x247, 0x210, 0x214, 0x21, 0x130, 1, 2048, 221);

    /// <summary>Finds the table of a loaded library.</summary>
    /// <exception cref="NotSupportedException">It is no MPI.</exception>
    public static MpiHandles Of(nint library, string name)
    {
        // The standard's ABI comes first: its library may lie over another, whose symbols are then found as well.
        if (HasStandardAbi(library))
            return Standard;
        if (NativeLibrary.TryGetExport(library, "ompi_mpi_comm_world", out _))
            return OpenMpi(library);
        return NativeLibrary.TryGetExport(library, "MPI_Init_thread", out _)
            ? Mpich
            : throw new NotSupportedException($"The library '{name}' is no MPI: it has no function MPI_Init_thread.");
    }

    // Of mpi.h.in of Open MPI, where handles are addresses of its variables.
    private static MpiHandles OpenMpi(nint library)
    {
        nint Address(string name) => NativeLibrary.GetExport(library, name);
        return new MpiHandles(
            "Open MPI", Address("ompi_mpi_comm_world"), Address("ompi_mpi_byte"), Address("ompi_mpi_float"), Address("ompi_mpi_double"), Address("ompi_mpi_op_sum"), Address("ompi_mpi_info_null"), 1, 2, 0);
    }

    // A library with other handles may have the function as well, and then gives -1.
    private static unsafe bool HasStandardAbi(nint library)
    {
        if (!NativeLibrary.TryGetExport(library, "MPI_Abi_get_version", out nint function))
            return false;
        int major = -1, minor = -1;
        return ((delegate* unmanaged<int*, int*, int>)function)(&major, &minor) == 0 && major >= 1;
    }
}
